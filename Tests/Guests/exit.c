// Leaves with the status its argument says, after the exit handlers and the last output.

#include <stdio.h>
#include <stdlib.h>

static void first(void) {
    printf("registered first, called last\n");
}

static void second(void) {
    printf("registered second, called first\n");
}

int main(int argc, char **argv) {
    atexit(first);
    atexit(second);
    printf("no newline before the end");
    int status = argc > 1 ? atoi(argv[1]) : 0;
    printf(", status %d\n", status);
    if (status == 0) return 0;
    exit(status);
}
