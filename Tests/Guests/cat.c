// Copies standard input to standard output, and counts its bytes on standard error.

#include <stdio.h>
#include <unistd.h>

int main(void) {
    char buffer[1000];
    size_t total = 0;
    for (ssize_t length; (length = read(0, buffer, sizeof buffer)) > 0; total += length)
        for (ssize_t written = 0; written < length;)
            written += write(1, buffer + written, length - written);
    fprintf(stderr, "%zu bytes\n", total);
    return 0;
}
