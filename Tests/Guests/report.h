// How the guests of this folder write their transcripts.

#ifndef REPORT_H
#define REPORT_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

// Prints the outcome of a system call: its result, or what went wrong.
static inline long report(const char *what, long result) {
    if (result < 0)
        printf("%s: %s\n", what, strerror(errno));
    else
        printf("%s: %ld\n", what, result);
    return result;
}

// Prints the outcome of a question.
static inline void check(const char *what, int isTrue) {
    printf("%s: %s\n", what, isTrue ? "yes" : "NO");
}

#endif
