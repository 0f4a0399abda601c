// Arguments and environment, as the host hands them over and as the library sees them.

#include "report.h"

#include <stdlib.h>
#include <wasi/api.h>

extern char **environ;

int main(int argc, char **argv) {
    // The name of the program is the host's to choose.
    size_t length = strlen(argv[0]) + 1;
    for (int i = 1; i < argc; i++) {
        printf("argument %d: [%s]\n", i, argv[i]);
        length += strlen(argv[i]) + 1;
    }
    for (int i = 0; environ && environ[i]; i++) printf("environment %d: [%s]\n", i, environ[i]);

    __wasi_size_t number, size;
    report("args_sizes_get", __wasi_args_sizes_get(&number, &size));
    printf("%zu arguments\n", number);
    check("their size is right", size == length);
    report("environ_sizes_get", __wasi_environ_sizes_get(&number, &size));
    printf("%zu variables in %zu bytes\n", number, size);

    printf("COLOR is %s\n", getenv("COLOR"));
    check("EMPTY is empty", getenv("EMPTY") && !*getenv("EMPTY"));
    check("ABSENT is absent", !getenv("ABSENT"));
    report("setenv", setenv("COLOR", "blue", 1));
    printf("COLOR is %s\n", getenv("COLOR"));
    return 0;
}
