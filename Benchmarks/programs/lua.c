// Runs the Lua program on standard input; the first argument is its global `scale`.
#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    static char text[1 << 16];
    size_t size = fread(text, 1, sizeof text, stdin);
    lua_State *state = luaL_newstate();
    luaL_requiref(state, "_G", luaopen_base, 1);
    luaL_requiref(state, "string", luaopen_string, 1);
    luaL_requiref(state, "table", luaopen_table, 1);
    luaL_requiref(state, "math", luaopen_math, 1);
    lua_pushinteger(state, argc > 1 ? atoi(argv[1]) : 1);
    lua_setglobal(state, "scale");
    if (luaL_loadbuffer(state, text, size, "=stdin") != LUA_OK) {
        printf("%s\n", lua_tostring(state, -1));
        return 1;
    }
    lua_call(state, 0, 0);
    return 0;
}
