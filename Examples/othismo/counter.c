/* An object that counts.
 *
 *     clang --target=wasm32 -O2 -nostdlib -fno-builtin -Wl,--no-entry -o counter.wasm counter.c
 *     wasmd othismo new-image app
 *     wasmd othismo app import-module counter.wasm
 *     wasmd othismo app instantiate-instance counter /c
 *     wasmd othismo app send-message /c counter.add.by=2
 */
#include "othismo.h"

static int64_t count;

void othismo_receive(const othismo_message *message) {
    bson_value add;
    if (message->is_response) return;
    if (bson_find(message->bytes, "counter.add", &add)) count += bson_int_at(&add, "by", 1);
    othismo_writer reply = othismo_reply(message);
    bson_open(&reply, "counter.value");
    bson_int64(&reply, "value", count);
    bson_close(&reply);
    othismo_send(&reply);
}
