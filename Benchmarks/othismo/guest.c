/* A guest with a state of STATE bytes, none of them 0, for measurements: `build` makes it. */
#include "../../Examples/othismo/othismo.h"

static uint8_t state[STATE];

OTHISMO_EXPORT("_othismo_start") void start(void) {
    for (uint32_t index = 0; index < STATE; index++) state[index] = index % 255 + 1;
}

void othismo_receive(const othismo_message *message) {
    bson_value value, to;
    if (bson_find(message->bytes, "bench.add", &value)) {
        /* Changes one byte, at `place`. */
        uint8_t *place = &state[(uint32_t)bson_int_at(&value, "place", 0) % STATE];
        *place = *place % 255 + 1;
        othismo_writer reply = othismo_reply(message);
        bson_open(&reply, "bench.value");
        bson_int32(&reply, "value", *place);
        bson_close(&reply);
        othismo_send(&reply);
    } else if (bson_find(message->bytes, "bench.ball", &value)) {
        /* Sends it on to `to`, which gets `from` to send it back to. */
        bson_value from;
        if (!bson_find(value.bytes, "to", &to) || !bson_find(value.bytes, "from", &from)) return;
        int64_t left = bson_int_at(&value, "left", 0);
        if (left <= 0) return;
        othismo_writer ball = othismo_request((const char *)to.bytes + 4, to.size - 5);
        bson_open(&ball, "bench.ball");
        bson_copy(&ball, "to", &from);
        bson_copy(&ball, "from", &to);
        bson_int64(&ball, "left", left - 1);
        bson_close(&ball);
        othismo_cast(&ball);
    }
}
