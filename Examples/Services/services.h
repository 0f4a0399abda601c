// The interfaces of services for C: `hostobservability` and `wasi_experimental_http`, with strings as
// the bindings generators of 2022 passed them (docs/services.md).

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

// Memory for strings that the host hands over. They are freed by their receiver.
EXPORT("canonical_abi_realloc")
void *canonical_abi_realloc(void *old, size_t old_size, size_t align, size_t new_size) {
    (void)old_size;
    if (new_size == 0) return (void *)align;
    void *made = realloc(old, new_size);
    if (!made) abort();
    return made;
}

EXPORT("canonical_abi_free")
void canonical_abi_free(void *place, size_t size, size_t align) {
    (void)align;
    if (size > 0) free(place);
}

struct text {
    char *bytes;
    size_t count;
};

IMPORT("hostobservability", "loginfo")
void host_loginfo(const char *module, size_t module_size, const char *text, size_t size);
IMPORT("hostobservability", "publish")
void host_publish(const char *topic, size_t topic_size, const char *text, size_t size);
IMPORT("hostobservability", "read")
void host_read(const char *topic, size_t topic_size, struct text *result);
IMPORT("hostobservability", "subscribe")
void host_subscribe(const char *topic, size_t topic_size, struct text *result);

IMPORT("wasi_experimental_http", "req")
uint32_t http_req(
    const char *url, size_t url_size, const char *method, size_t method_size, const char *headers,
    size_t headers_size, const char *body, size_t body_size, uint16_t *status, uint32_t *handle);
IMPORT("wasi_experimental_http", "close")
uint32_t http_close(uint32_t handle);
IMPORT("wasi_experimental_http", "header_get")
uint32_t http_header_get(
    uint32_t handle, const char *name, size_t name_size, char *value, size_t size,
    uint32_t *written);
IMPORT("wasi_experimental_http", "headers_get_all")
uint32_t http_headers_get_all(uint32_t handle, char *buffer, size_t size, uint32_t *written);
IMPORT("wasi_experimental_http", "body_read")
uint32_t http_body_read(uint32_t handle, char *buffer, size_t size, uint32_t *written);

static inline uint32_t request(
    const char *method, const char *url, const char *headers, const char *body, size_t body_size,
    uint16_t *status, uint32_t *handle) {
    return http_req(
        url, strlen(url), method, strlen(method), headers, strlen(headers), body, body_size, status,
        handle);
}

#define LOG(module, ...)                                                        \
    do {                                                                        \
        char log_line[4096];                                                    \
        int log_size = snprintf(log_line, sizeof log_line, __VA_ARGS__);        \
        if (log_size >= (int)sizeof log_line) log_size = sizeof log_line - 1;   \
        host_loginfo(module, strlen(module), log_line, (size_t)log_size);       \
    } while (0)

// Reads a value of TOML that is on one line: a string in either kind of quotes, or a bare word such
// as a number. Returns null if it is none, or has no end.
static inline char *toml_value(const char *at) {
    at += strspn(at, " \t");
    char quote = *at == '"' || *at == '\'' ? *at++ : 0;
    char *value = malloc(strlen(at) + 1);
    if (!value) abort();
    size_t size = 0;
    for (; *at; at++) {
        if (quote ? *at == quote : strchr(" \t\r\n#", *at) != NULL) break;
        if (*at == '\n') break;
        // Only strings in double quotes have escapes.
        if (quote == '"' && *at == '\\' && at[1]) {
            at++;
            value[size++] = *at == 'n' ? '\n' : *at == 't' ? '\t' : *at == 'r' ? '\r' : *at;
        } else {
            value[size++] = *at;
        }
    }
    value[size] = 0;
    if (quote ? *at == quote : size > 0) return value;
    free(value);
    return NULL;
}

// The value of a key at the top of a file of TOML; ends the module if it is not there.
static inline char *setting(const struct text *path, const char *key) {
    char name[1024];
    snprintf(name, sizeof name, "%.*s", (int)path->count, path->bytes);
    FILE *file = fopen(name, "r");
    if (!file) {
        fprintf(stderr, "%s: cannot be read\n", name);
        abort();
    }
    char line[1024];
    while (fgets(line, sizeof line, file)) {
        const char *at = line + strspn(line, " \t");
        if (*at == '[') break;
        size_t size = strlen(key);
        if (strncmp(at, key, size) != 0) continue;
        at += size + strspn(at + size, " \t");
        char *value = *at == '=' ? toml_value(at + 1) : NULL;
        if (!value) continue;
        fclose(file);
        return value;
    }
    fprintf(stderr, "%s: %s is missing\n", name, key);
    abort();
}
