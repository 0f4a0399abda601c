// Runs the JavaScript program on standard input with Duktape; the first argument is its global `scale`.
#include "duktape.h"
#include <stdio.h>
#include <stdlib.h>

static duk_ret_t print(duk_context *context) {
    printf("%s\n", duk_to_string(context, 0));
    return 0;
}

int main(int argc, char **argv) {
    static char text[1 << 16];
    size_t size = fread(text, 1, sizeof text, stdin);
    duk_context *context = duk_create_heap_default();
    duk_push_c_function(context, print, 1);
    duk_put_global_string(context, "print");
    duk_push_int(context, argc > 1 ? atoi(argv[1]) : 1);
    duk_put_global_string(context, "scale");
    duk_eval_lstring(context, text, size);
    duk_destroy_heap(context);
    return 0;
}
