// Runs the JavaScript program on standard input with QuickJS; the first argument is its global `scale`.
#include "quickjs.h"
#include <stdio.h>
#include <stdlib.h>

static JSValue print(JSContext *context, JSValueConst this, int count, JSValueConst *arguments) {
    const char *text = JS_ToCString(context, arguments[0]);
    printf("%s\n", text);
    JS_FreeCString(context, text);
    return JS_UNDEFINED;
}

int main(int argc, char **argv) {
    static char text[1 << 16];
    size_t size = fread(text, 1, sizeof text - 1, stdin);
    JSRuntime *runtime = JS_NewRuntime();
    // The engine measures the native stack by addresses that an interpreter's guest need not have.
    JS_SetMaxStackSize(runtime, 0);
    JSContext *context = JS_NewContext(runtime);
    JSValue global = JS_GetGlobalObject(context);
    JS_SetPropertyStr(context, global, "print", JS_NewCFunction(context, print, "print", 1));
    JS_SetPropertyStr(context, global, "scale", JS_NewInt32(context, argc > 1 ? atoi(argv[1]) : 1));
    JSValue result = JS_Eval(context, text, size, "stdin", JS_EVAL_TYPE_GLOBAL);
    if (JS_IsException(result)) {
        printf("%s\n", JS_ToCString(context, JS_GetException(context)));
        return 1;
    }
    return 0;
}
