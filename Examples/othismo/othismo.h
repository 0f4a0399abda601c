/* A kit for guests of `wasmd othismo`: one header, no C library.
 *
 *     #include "othismo.h"
 *
 *     static int64_t count;
 *
 *     void othismo_receive(const othismo_message *message) {
 *         bson_value add;
 *         if (!bson_find(message->bytes, "counter.add", &add)) return;
 *         count += bson_int_at(&add, "by", 1);
 *         othismo_writer reply = othismo_reply(message);
 *         bson_open(&reply, "counter.value");
 *         bson_int64(&reply, "value", count);
 *         bson_close(&reply);
 *         othismo_send(&reply);
 *     }
 *
 *     clang --target=wasm32 -O2 -nostdlib -fno-builtin -Wl,--no-entry -o counter.wasm counter.c
 *
 * OTHISMO_GENERATION is 1, 2 or 3 and chooses the interface; 3 is the default. Messages are valid
 * until othismo_receive returns. Variables keep their values between messages and restarts.
 */
#ifndef OTHISMO_H
#define OTHISMO_H

#include <stdint.h>

#ifndef OTHISMO_GENERATION
#define OTHISMO_GENERATION 3
#endif
#ifndef OTHISMO_ARENA
/* Bytes for messages that are received and made at one time. */
#define OTHISMO_ARENA (256 * 1024)
#endif

#define OTHISMO_EXPORT(name) __attribute__((export_name(name), used))
#define OTHISMO_IMPORT(name) __attribute__((import_module("othismo"), import_name(name)))

/* ---- Memory ---- */

static uint8_t othismo_arena[OTHISMO_ARENA] __attribute__((aligned(8)));
static uint32_t othismo_used;

/* Bytes that are valid until the message was handled; 0 if there is no room. */
static inline uint8_t *othismo_allocate(uint32_t size) {
    uint32_t rounded = (size + 7) & ~7u;
    if (rounded < size || rounded > OTHISMO_ARENA - othismo_used) return 0;
    uint8_t *start = othismo_arena + othismo_used;
    othismo_used += rounded;
    return start;
}

static inline void othismo_copy(uint8_t *to, const void *from, uint32_t size) {
    const uint8_t *bytes = from;
    while (size--) *to++ = *bytes++;
}

static inline uint32_t othismo_length(const char *text) {
    uint32_t length = 0;
    while (text[length]) length++;
    return length;
}

/* ---- Reading BSON ---- */

typedef struct {
    uint8_t type; /* 1 double, 2 string, 3 document, 4 array, 5 binary, 8 boolean, 16 int32, 18 int64 */
    const uint8_t *bytes;
    uint32_t size;
} bson_value;

static inline uint32_t bson_u32(const uint8_t *bytes) {
    return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static inline uint32_t bson_size(uint8_t type, const uint8_t *bytes) {
    switch (type) {
    case 1: case 9: case 17: case 18: return 8;
    case 16: return 4;
    case 8: return 1;
    case 2: case 13: case 14: return 4 + bson_u32(bytes);
    case 3: case 4: case 15: return bson_u32(bytes);
    case 5: return 5 + bson_u32(bytes);
    case 7: return 12;
    case 19: return 16;
    default: return 0;
    }
}

/* A loop over the members of a document: the name and the value of each. */
#define BSON_EACH(document, name, value)                                                          \
    for (const uint8_t *bson_at = (document) + 4,                                                 \
                       *bson_stop = (document) + bson_u32(document) - 1,                          \
                       *name = 0;                                                                 \
         bson_at < bson_stop                                                                      \
         && ((value).type = *bson_at, name = bson_at + 1,                                         \
             (value).bytes = name + othismo_length((const char *)name) + 1,                       \
             (value).size = bson_size((value).type, (value).bytes),                               \
             bson_at = (value).bytes + (value).size, 1);)

/* Finds a member of a document; 0 if there is none. */
static inline int bson_find(const uint8_t *document, const char *wanted, bson_value *value) {
    uint32_t length = othismo_length(wanted);
    BSON_EACH(document, name, *value) {
        uint32_t index = 0;
        while (index < length && name[index] == (uint8_t)wanted[index]) index++;
        if (index == length && !name[length]) return 1;
    }
    return 0;
}

static inline int64_t bson_int(const bson_value *value, int64_t otherwise) {
    if (value->type == 16) return (int32_t)bson_u32(value->bytes);
    if (value->type == 18)
        return (int64_t)(bson_u32(value->bytes) | (uint64_t)bson_u32(value->bytes + 4) << 32);
    return otherwise;
}

/* An integer that is a member of a document that is a value. */
static inline int64_t bson_int_at(const bson_value *document, const char *name, int64_t otherwise) {
    bson_value value;
    if (document->type != 3 || !bson_find(document->bytes, name, &value)) return otherwise;
    return bson_int(&value, otherwise);
}

/* ---- Writing BSON ---- */

typedef struct {
    uint8_t *bytes;
    uint32_t size, capacity, depth;
    uint32_t starts[16];
} othismo_writer;

static inline void bson_put(othismo_writer *writer, const void *bytes, uint32_t size) {
    if (size > writer->capacity - writer->size) __builtin_trap();
    othismo_copy(writer->bytes + writer->size, bytes, size);
    writer->size += size;
}

static inline void bson_put_u32(othismo_writer *writer, uint32_t value) {
    uint8_t bytes[4] = {value, value >> 8, value >> 16, value >> 24};
    bson_put(writer, bytes, 4);
}

static inline void bson_name(othismo_writer *writer, uint8_t type, const char *name) {
    bson_put(writer, &type, 1);
    bson_put(writer, name, othismo_length(name) + 1);
}

static inline void bson_begin(othismo_writer *writer) {
    if (writer->depth == 16) __builtin_trap();
    writer->starts[writer->depth++] = writer->size;
    bson_put_u32(writer, 0);
}

/* Begins a document that is a member; members follow until bson_close. */
static inline void bson_open(othismo_writer *writer, const char *name) {
    bson_name(writer, 3, name);
    bson_begin(writer);
}

static inline void bson_close(othismo_writer *writer) {
    uint8_t zero = 0;
    bson_put(writer, &zero, 1);
    uint32_t start = writer->starts[--writer->depth], size = writer->size - start;
    uint8_t bytes[4] = {size, size >> 8, size >> 16, size >> 24};
    othismo_copy(writer->bytes + start, bytes, 4);
}

static inline void bson_int32(othismo_writer *writer, const char *name, int32_t value) {
    bson_name(writer, 16, name);
    bson_put_u32(writer, value);
}

static inline void bson_int64(othismo_writer *writer, const char *name, int64_t value) {
    bson_name(writer, 18, name);
    bson_put_u32(writer, value);
    bson_put_u32(writer, (uint64_t)value >> 32);
}

static inline void bson_text(
    othismo_writer *writer, const char *name, const void *text, uint32_t length) {
    uint8_t zero = 0;
    bson_name(writer, 2, name);
    bson_put_u32(writer, length + 1);
    bson_put(writer, text, length);
    bson_put(writer, &zero, 1);
}

static inline void bson_string(othismo_writer *writer, const char *name, const char *text) {
    bson_text(writer, name, text, othismo_length(text));
}

static inline void bson_binary(
    othismo_writer *writer, const char *name, const void *bytes, uint32_t size) {
    uint8_t subtype = 0;
    bson_name(writer, 5, name);
    bson_put_u32(writer, size);
    bson_put(writer, &subtype, 1);
    bson_put(writer, bytes, size);
}

static inline void bson_copy(othismo_writer *writer, const char *name, const bson_value *value) {
    bson_name(writer, value->type, name);
    bson_put(writer, value->bytes, value->size);
}

/* ---- Messages ---- */

typedef struct {
    const uint8_t *bytes; /* the whole document */
    uint32_t size;
    uint32_t request; /* generation 3: the handle of the request that this answers, or 0 */
    int is_response;
} othismo_message;

/* Defined by the guest. */
void othismo_receive(const othismo_message *message);

static inline othismo_writer othismo_begin(void) {
    othismo_writer writer = {0};
    writer.bytes = othismo_arena + othismo_used;
    writer.capacity = OTHISMO_ARENA - othismo_used;
    bson_begin(&writer);
    return writer;
}

/* Begins a message to an object. */
static inline othismo_writer othismo_request(const char *path, uint32_t length) {
    othismo_writer writer = othismo_begin();
    bson_open(&writer, "othismo");
    bson_text(&writer, "send_to", path, length);
    bson_close(&writer);
    return writer;
}

/* Begins an answer to a message, from its routing. */
static inline othismo_writer othismo_reply_to(const bson_value *path, const bson_value *request) {
    othismo_writer writer = othismo_begin();
    bson_open(&writer, "othismo");
    if (path->type == 2) bson_copy(&writer, "send_to", path);
    if (request->type) bson_copy(&writer, "response_id", request);
    bson_close(&writer);
    return writer;
}

/* The routing of a message: who asked, and by which number. */
static inline void othismo_asker(
    const othismo_message *message, bson_value *path, bson_value *request) {
    bson_value routing;
    path->type = request->type = 0;
    if (!bson_find(message->bytes, "othismo", &routing) || routing.type != 3) return;
    if (!bson_find(routing.bytes, "reply_to", path)) path->type = 0;
    if (!bson_find(routing.bytes, "request_id", request)) request->type = 0;
}

static inline othismo_writer othismo_reply(const othismo_message *message) {
    bson_value path, request;
    othismo_asker(message, &path, &request);
    return othismo_reply_to(&path, &request);
}

static inline othismo_message othismo_read(const uint8_t *bytes, uint32_t size, uint32_t request) {
    bson_value routing, id;
    othismo_message message = {bytes, size, request, 0};
    message.is_response = bson_find(bytes, "othismo", &routing) && routing.type == 3
                          && bson_find(routing.bytes, "response_id", &id);
    return message;
}

#if OTHISMO_GENERATION == 1

OTHISMO_IMPORT("send_message") uint32_t othismo_send_message(const uint8_t *bytes, uint32_t size);

static uint8_t *othismo_inbox;
static uint32_t othismo_inbox_size;

OTHISMO_EXPORT("prepare_inbox") uint8_t *othismo_prepare_inbox(uint32_t size) {
    othismo_inbox = othismo_allocate(size);
    othismo_inbox_size = size;
    return othismo_inbox;
}

OTHISMO_EXPORT("message_received") void othismo_message_received(void) {
    othismo_message message = othismo_read(othismo_inbox, othismo_inbox_size, 0);
    othismo_receive(&message);
    othismo_used = 0;
}

/* Sends the message; returns the length of the answer, which is at othismo_inbox then. */
static inline uint32_t othismo_send(othismo_writer *writer) {
    bson_close(writer);
    uint32_t start = othismo_used;
    if (!othismo_allocate(writer->size)) __builtin_trap();
    uint32_t length = othismo_send_message(writer->bytes, writer->size);
    if (!length) othismo_used = start;
    return length;
}

#else

OTHISMO_IMPORT("_send_message") uint32_t othismo_send_message(const uint8_t *bytes, uint32_t size);
OTHISMO_IMPORT("_cast_message") uint32_t othismo_cast_message(const uint8_t *bytes, uint32_t size);

/* Sends the message; returns its handle. */
static inline uint32_t othismo_send(othismo_writer *writer) {
    bson_close(writer);
    return othismo_send_message(writer->bytes, writer->size);
}

#if OTHISMO_GENERATION == 3
/* The same without an answer. */
static inline uint32_t othismo_cast(othismo_writer *writer) {
    bson_close(writer);
    return othismo_cast_message(writer->bytes, writer->size);
}
#endif

static othismo_message othismo_waiting[64];
static uint32_t othismo_waiting_count;

static inline void othismo_handle_waiting(void) {
    for (uint32_t index = 0; index < othismo_waiting_count; index++) {
        othismo_message message = othismo_read(
            othismo_waiting[index].bytes, othismo_waiting[index].size,
            othismo_waiting[index].request);
        othismo_receive(&message);
    }
    othismo_waiting_count = 0;
    othismo_used = 0;
}

static inline uint8_t *othismo_accept(uint32_t size, uint32_t request) {
    uint8_t *bytes = othismo_allocate(size);
    if (!bytes || othismo_waiting_count == 64) __builtin_trap();
    othismo_waiting[othismo_waiting_count++] = (othismo_message){bytes, size, request, 0};
    return bytes;
}

#if OTHISMO_GENERATION == 2
OTHISMO_EXPORT("_allocate_message") uint8_t *othismo_allocate_message(uint32_t size) {
    return othismo_accept(size, 0);
}
OTHISMO_EXPORT("_message_received") void othismo_message_received(uint8_t *bytes) { (void)bytes; }
#else
OTHISMO_EXPORT("_allocate_message")
uint8_t *othismo_allocate_message(uint32_t handle, uint32_t size, uint32_t request) {
    (void)handle;
    return othismo_accept(size, request);
}
#endif

OTHISMO_EXPORT("_run") void othismo_run(void) { othismo_handle_waiting(); }

#endif
/* ---- HTTP ---- */

/* Whether a value is this text. */
static inline int bson_is(const bson_value *value, const char *text) {
    uint32_t length = othismo_length(text), index = 0;
    if (value->type != 2 || bson_u32(value->bytes) != length + 1) return 0;
    while (index < length && value->bytes[4 + index] == (uint8_t)text[index]) index++;
    return index == length;
}

/* The bytes of a text or of binary; 0 for other values. */
static inline const uint8_t *bson_bytes(const bson_value *value, uint32_t *size) {
    *size = 0;
    if (value->type == 2) {
        *size = bson_u32(value->bytes) - 1;
        return value->bytes + 4;
    }
    if (value->type == 5) {
        *size = bson_u32(value->bytes);
        return value->bytes + 5;
    }
    return 0;
}

/* A member of a document that is a value; 0 if there is none. */
static inline int bson_at(const bson_value *document, const char *name, bson_value *value) {
    value->type = 0;
    return document->type == 3 && bson_find(document->bytes, name, value);
}

/* Whether a message is a request of HTTP: its host, method, endpoint, query, headers and body. */
static inline int othismo_http(const othismo_message *message, bson_value *request) {
    return bson_find(message->bytes, "othismo.http.request", request) && request->type == 3;
}

/* Whether a request is of this method, for this path. */
static inline int othismo_is(const bson_value *request, const char *method, const char *endpoint) {
    bson_value value;
    return bson_at(request, "method", &value) && bson_is(&value, method)
           && bson_at(request, "endpoint", &value) && bson_is(&value, endpoint);
}

/* Answers a request. */
static inline void othismo_respond(
    const othismo_message *message, int status, const char *type, const void *body,
    uint32_t length) {
    othismo_writer reply = othismo_reply(message);
    bson_open(&reply, "othismo.http.request.response");
    bson_int32(&reply, "status", status);
    bson_open(&reply, "headers");
    bson_string(&reply, "content-type", type);
    bson_close(&reply);
    bson_binary(&reply, "body", body, length);
    bson_close(&reply);
    othismo_send(&reply);
}

static inline void othismo_respond_text(
    const othismo_message *message, int status, const char *text) {
    othismo_respond(message, status, "text/plain; charset=utf-8", text, othismo_length(text));
}

#endif
