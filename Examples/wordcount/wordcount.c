// Counts the lines, words and bytes of files, as wc does; reads standard input without arguments.
//
// The files have to lie in a directory the host has opened for the guest.

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    unsigned long lines, words, bytes;
} Counts;

static Counts count(FILE *file) {
    Counts counts = {0, 0, 0};
    char buffer[4096];
    size_t length;
    int inWord = 0;
    while ((length = fread(buffer, 1, sizeof buffer, file)) > 0) {
        counts.bytes += length;
        for (size_t i = 0; i < length; i++) {
            unsigned char byte = (unsigned char)buffer[i];
            counts.lines += byte == '\n';
            counts.words += !isspace(byte) && !inWord;
            inWord = !isspace(byte);
        }
    }
    return counts;
}

static void print(Counts counts, const char *name) {
    printf("%8lu %8lu %8lu", counts.lines, counts.words, counts.bytes);
    printf(*name ? " %s\n" : "%s\n", name);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        print(count(stdin), "");
        return 0;
    }
    Counts total = {0, 0, 0};
    int failures = 0;
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file) {
            fprintf(stderr, "wordcount: %s: %s\n", argv[i], strerror(errno));
            failures++;
            continue;
        }
        Counts counts = count(file);
        fclose(file);
        print(counts, argv[i]);
        total.lines += counts.lines;
        total.words += counts.words;
        total.bytes += counts.bytes;
    }
    if (argc > 2) print(total, "total");
    return failures > 0;
}
