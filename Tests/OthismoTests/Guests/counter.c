/* A counter that answers, asks others, and misbehaves when told to: `build` makes it for each of the
 * three interfaces. */
#include "../../../Examples/othismo/othismo.h"

static int64_t count;
static int64_t starts;
static volatile uint32_t forever = 1;

OTHISMO_EXPORT("_othismo_start") void start(void) { starts++; }

static void answer(const othismo_message *message) {
    othismo_writer reply = othismo_reply(message);
    bson_open(&reply, "counter.value");
    bson_int64(&reply, "value", count);
    bson_int64(&reply, "starts", starts);
    bson_close(&reply);
    othismo_send(&reply);
}

/* The one who asked, while another one is being asked. */
#if OTHISMO_GENERATION != 1
static uint8_t asker[128], request[8];
#endif
static bson_value asker_value, request_value;

static void pass_on(const bson_value *path, const bson_value *id, const uint8_t *response, uint32_t handle) {
    bson_value value, error;
    othismo_writer reply = othismo_reply_to(path, id);
    if (bson_find(response, "counter.value", &value)) bson_copy(&reply, "counter.heard", &value);
    if (bson_find(response, "othismo.error", &error)) bson_copy(&reply, "counter.failed", &error);
    bson_int32(&reply, "handle", handle);
    othismo_send(&reply);
}

static uint32_t sent;

void othismo_receive(const othismo_message *message) {
    bson_value value, to;
    if (message->is_response) {
        if (asker_value.type)
            pass_on(&asker_value, &request_value, message->bytes,
                    message->request && message->request == sent);
        asker_value.type = 0;
        return;
    }
    if (bson_find(message->bytes, "counter.add", &value)) {
        count += bson_int_at(&value, "by", 1);
        answer(message);
    } else if (bson_find(message->bytes, "counter.trap", &value)) {
        count += 1000;
        __builtin_trap();
    } else if (bson_find(message->bytes, "counter.spin", &value)) {
        while (forever) count++;
    } else if (bson_find(message->bytes, "counter.ask", &value)) {
        /* to: another counter; what: what it is to do */
        bson_value what;
        if (!bson_find(value.bytes, "to", &to) || !bson_find(value.bytes, "what", &what)) return;
        bson_value path, id;
        othismo_asker(message, &path, &id);
        othismo_writer other = othismo_request((const char *)to.bytes + 4, to.size - 5);
        bson_open(&other, (const char *)what.bytes + 4);
        bson_int32(&other, "by", 1);
        bson_close(&other);
#if OTHISMO_GENERATION == 1
        uint32_t length = othismo_send(&other);
        if (length) {
            pass_on(&path, &id, othismo_inbox, length == bson_u32(othismo_inbox));
            return;
        }
        othismo_writer reply = othismo_reply_to(&path, &id);
        bson_int32(&reply, "counter.silence", 1);
        othismo_send(&reply);
#else
        if (path.size > sizeof asker || id.size > sizeof request) return;
        othismo_copy(asker, path.bytes, path.size);
        othismo_copy(request, id.bytes, id.size);
        asker_value = path;
        asker_value.bytes = asker;
        request_value = id;
        request_value.bytes = request;
        sent = othismo_send(&other);
#endif
    } else if (bson_find(message->bytes, "counter.tell", &value)) {
        /* Sends `times` messages to `to`. */
        if (!bson_find(value.bytes, "to", &to)) return;
        for (int64_t left = bson_int_at(&value, "times", 1); left > 0; left--) {
            othismo_writer other = othismo_request((const char *)to.bytes + 4, to.size - 5);
            bson_open(&other, "counter.add");
            bson_close(&other);
#if OTHISMO_GENERATION == 3
            othismo_cast(&other);
#else
            othismo_send(&other);
#endif
        }
    } else if (bson_find(message->bytes, "counter.forward", &value)) {
        /* A message that goes on for ever, from one to the other. */
        if (!bson_find(value.bytes, "to", &to)) return;
        count++;
        othismo_writer other = othismo_request((const char *)to.bytes + 4, to.size - 5);
        bson_open(&other, "counter.forward");
        bson_text(&other, "to", "first", 5);
        bson_close(&other);
        othismo_send(&other);
    } else if (bson_find(message->bytes, "othismo.http.request", &value)) {
        bson_value path;
        count++;
        othismo_writer reply = othismo_reply(message);
        bson_open(&reply, "othismo.http.request.response");
        bson_int32(&reply, "status", 200);
        bson_open(&reply, "headers");
        bson_string(&reply, "content-type", "text/plain");
        bson_close(&reply);
        if (bson_find(value.bytes, "endpoint", &path)) bson_copy(&reply, "body", &path);
        bson_close(&reply);
        othismo_send(&reply);
    } else {
        answer(message);
    }
}
