// The smallest useful guest: prints a greeting and the arguments it was given.

#include <stdio.h>

int main(int argc, char **argv) {
    printf("Hello from WebAssembly\n");
    for (int i = 1; i < argc; i++)
        printf("  argument %d: %s\n", i, argv[i]);
    return 0;
}
