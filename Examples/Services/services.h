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

// The value of `key = 'value'` in a file of TOML; ends the module if it is not there.
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
        size_t size = strlen(key);
        if (strncmp(line, key, size) != 0) continue;
        char *start = strchr(line, '\''), *end = strrchr(line, '\'');
        if (!start || start == end) continue;
        fclose(file);
        return strndup(start + 1, (size_t)(end - start - 1));
    }
    fprintf(stderr, "%s: %s is missing\n", name, key);
    abort();
}
