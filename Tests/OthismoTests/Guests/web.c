/* An object that answers requests of HTTP in all ways, also wrong ones. */
#define OTHISMO_ARENA (4 * 1024 * 1024)
#include "../../../Examples/othismo/othismo.h"

static int64_t count, uploaded, pieces, closed;
static uint8_t uploader[64], uploader_path[256];
static bson_value upload_request, upload_path;
static char digits[24];

static const char *text(int64_t number) {
    int at = 23;
    digits[at] = 0;
    digits[--at] = '\n';
    do { digits[--at] = '0' + number % 10; number /= 10; } while (number && at > 0);
    return digits + at;
}

static void keep(bson_value *to, uint8_t *room, uint32_t size, const bson_value *from) {
    *to = *from;
    if (from->size > size) { to->type = 0; return; }
    othismo_copy(room, from->bytes, from->size);
    to->bytes = room;
}

/* The next piece of a response that the client takes as fast as it wants: the server asks for it. */
static int64_t left;

static void next_piece(int status) {
    static uint8_t bytes[65536];
    othismo_writer reply = othismo_begin();
    bson_open(&reply, "othismo");
    if (upload_path.type == 2) bson_copy(&reply, "send_to", &upload_path);
    if (upload_request.type) bson_copy(&reply, "response_id", &upload_request);
    bson_int64(&reply, "request_id", left);
    bson_close(&reply);
    bson_open(&reply, "othismo.http.request.response");
    if (status) bson_int32(&reply, "status", status);
    bson_binary(&reply, "body", bytes, sizeof bytes);
    uint8_t more = --left > 0;
    bson_name(&reply, 8, "more");
    bson_put(&reply, &more, 1);
    bson_close(&reply);
    othismo_send(&reply);
}

/* A piece of a response, to whoever asked first. */
static void piece(const othismo_message *message, int status, const char *body, int more) {
    othismo_writer reply = othismo_reply(message);
    bson_open(&reply, "othismo.http.request.response");
    if (status) bson_int32(&reply, "status", status);
    bson_string(&reply, "body", body);
    bson_name(&reply, 8, "more");
    uint8_t flag = more;
    bson_put(&reply, &flag, 1);
    bson_close(&reply);
    othismo_send(&reply);
}

static void to_socket(const char *key, const bson_value *socket, const bson_value *content,
                      const char *name) {
    othismo_writer message = othismo_request("/server", 7);
    bson_open(&message, key);
    bson_copy(&message, "socket", socket);
    if (content) bson_copy(&message, name, content);
    bson_close(&message);
    othismo_send(&message);
}

static void answer(const othismo_message *message, const bson_value *request) {
    bson_value endpoint, value;
    if (!bson_at(request, "endpoint", &endpoint)) return;
    if (bson_is(&endpoint, "/count")) {
        othismo_respond_text(message, 200, text(++count));
    } else if (bson_is(&endpoint, "/echo")) {
        uint32_t size = 0;
        const uint8_t *body = bson_at(request, "body", &value) ? bson_bytes(&value, &size) : 0;
        othismo_respond(message, 201, "application/x-echo", body, size);
    } else if (bson_is(&endpoint, "/request")) {
        /* The document itself. */
        othismo_respond(message, 200, "application/bson", request->bytes, request->size);
    } else if (bson_is(&endpoint, "/trap")) {
        count++;
        __builtin_trap();
    } else if (bson_is(&endpoint, "/silent")) {
        return;
    } else if (bson_is(&endpoint, "/loop")) {
        for (volatile int i = 0;;) i++;
    } else if (bson_is(&endpoint, "/malformed")) {
        othismo_writer reply = othismo_reply(message);
        bson_open(&reply, "othismo.http.request.response");
        bson_string(&reply, "status", "fine");
        bson_close(&reply);
        othismo_send(&reply);
    } else if (bson_is(&endpoint, "/other")) {
        othismo_writer reply = othismo_reply(message);
        bson_int32(&reply, "something", 1);
        othismo_send(&reply);
    } else if (bson_is(&endpoint, "/header")) {
        othismo_writer reply = othismo_reply(message);
        bson_open(&reply, "othismo.http.request.response");
        bson_int32(&reply, "status", 200);
        bson_open(&reply, "headers");
        bson_string(&reply, "x-a", "1\r\nx-b: 2");
        bson_close(&reply);
        bson_close(&reply);
        othismo_send(&reply);
    } else if (bson_is(&endpoint, "/twice")) {
        othismo_respond_text(message, 200, "one\n");
        othismo_respond_text(message, 200, "two\n");
    } else if (bson_is(&endpoint, "/empty")) {
        othismo_writer reply = othismo_reply(message);
        bson_open(&reply, "othismo.http.request.response");
        bson_int64(&reply, "status", 204);
        bson_close(&reply);
        othismo_send(&reply);
    } else if (bson_is(&endpoint, "/stream")) {
        piece(message, 200, "one,", 1);
        piece(message, 0, "two,", 1);
        piece(message, 0, "three\n", 0);
    } else if (bson_is(&endpoint, "/unfinished")) {
        piece(message, 200, "one,", 1);
        piece(message, 0, "two,", 1);
    } else if (bson_is(&endpoint, "/pulled")) {
        bson_value path, id;
        othismo_asker(message, &path, &id);
        keep(&upload_path, uploader_path, sizeof uploader_path, &path);
        keep(&upload_request, uploader, sizeof uploader, &id);
        left = 100;
        next_piece(200);
    } else if (bson_is(&endpoint, "/closed")) {
        othismo_respond_text(message, 200, text(closed));
    } else if (bson_is(&endpoint, "/upload")) {
        bson_value path, id;
        othismo_asker(message, &path, &id);
        keep(&upload_path, uploader_path, sizeof uploader_path, &path);
        keep(&upload_request, uploader, sizeof uploader, &id);
        uploaded = pieces = 0;
        if (!bson_at(request, "more", &value))
            othismo_respond_text(message, 200, text(0));
    } else {
        othismo_respond_text(message, 404, "nothing\n");
    }
}

void othismo_receive(const othismo_message *message) {
    bson_value request, socket, value;
    if (othismo_http(message, &request)) {
        answer(message, &request);
    } else if (bson_find(message->bytes, "othismo.http.request.body", &request)) {
        uint32_t size = 0;
        if (bson_at(&request, "body", &value)) bson_bytes(&value, &size);
        uploaded += size;
        pieces++;
        if (!bson_at(&request, "more", &value) || value.bytes[0]) return;
        othismo_writer reply = othismo_reply_to(&upload_path, &upload_request);
        bson_open(&reply, "othismo.http.request.response");
        bson_int32(&reply, "status", pieces > 1 ? 200 : 202);
        bson_string(&reply, "body", text(uploaded));
        bson_close(&reply);
        othismo_send(&reply);
    } else if (bson_find(message->bytes, "othismo.http.request.response.taken", &request)) {
        if (left > 0) next_piece(0);
    } else if (bson_find(message->bytes, "othismo.http.request.closed", &request)) {
        left = 0;
        closed++;
    } else if (bson_find(message->bytes, "othismo.http.websocket.open", &request)) {
        if (bson_at(&request, "endpoint", &value) && bson_is(&value, "/refused")) {
            othismo_respond_text(message, 401, "no\n");
            return;
        }
        othismo_writer reply = othismo_reply(message);
        bson_open(&reply, "othismo.http.websocket.open.response");
        uint8_t yes = 1;
        bson_name(&reply, 8, "accept");
        bson_put(&reply, &yes, 1);
        bson_close(&reply);
        othismo_send(&reply);
    } else if (bson_find(message->bytes, "othismo.http.websocket.message", &request)) {
        if (!bson_at(&request, "socket", &socket)) return;
        if (bson_at(&request, "text", &value)) {
            if (bson_is(&value, "bye"))
                to_socket("othismo.http.websocket.close", &socket, 0, 0);
            else
                to_socket("othismo.http.websocket.send", &socket, &value, "text");
        } else if (bson_at(&request, "data", &value)) {
            to_socket("othismo.http.websocket.send", &socket, &value, "data");
        }
    } else if (bson_find(message->bytes, "othismo.http.websocket.closed", &request)) {
        closed++;
    }
}
