// Traps in a function called by functions, so that a backtrace has names to show.

#include <stdio.h>

static volatile int depth;

__attribute__((noinline)) static int innermost(int value) {
    if (value > 2) __builtin_trap();
    return value + depth;
}

__attribute__((noinline)) static int middle(int value) {
    return innermost(value * 2) + depth;
}

__attribute__((noinline)) static int outermost(int value) {
    return middle(value + 1) + depth;
}

int main(int argc, char **argv) {
    printf("before\n");
    fflush(stdout);
    int result = outermost(argc);
    printf("after: %d %s\n", result, argv[0]);
    return 0;
}
