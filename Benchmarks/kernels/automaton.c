// A state machine with many branches: a scanner of a small language, one character at a time.

#include <stdint.h>
#include <stdio.h>

enum { size = 1 << 16, rounds = 270 };

static char text[size];

typedef enum { start, word, number, fraction, string, escape, slash, line, block, star } state;

int main(void) {
    static const char *const pieces[] = {
        "while ", "x1 ", "(", ") ", "3.25 ", "42 ", "\"a\\\"b\" ", "/* note */ ", "// end\n", "+= ", "; ", "-7 ", "}\n",
    };
    uint32_t random = 3, at = 0;
    while (at < size) {
        random = random * 1664525 + 1013904223;
        for (const char *p = pieces[(random >> 16) % 13]; *p && at < size; p++) text[at++] = *p;
    }
    uint32_t counts[10] = {0}, sum = 0;
    for (int round = 0; round < rounds; round++) {
        state now = start;
        for (uint32_t i = 0; i < size; i++) {
            char c = text[i];
            int letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
            int digit = c >= '0' && c <= '9';
            state next = now;
            switch (now) {
            case start:
                next = letter ? word : digit ? number : c == '"' ? string : c == '/' ? slash : start;
                break;
            case word: next = letter || digit ? word : start; break;
            case number: next = digit ? number : c == '.' ? fraction : start; break;
            case fraction: next = digit ? fraction : start; break;
            case string: next = c == '\\' ? escape : c == '"' ? start : string; break;
            case escape: next = string; break;
            case slash: next = c == '*' ? block : c == '/' ? line : start; break;
            case line: next = c == '\n' ? start : line; break;
            case block: next = c == '*' ? star : block; break;
            case star: next = c == '/' ? start : c == '*' ? star : block; break;
            }
            if (next != now) counts[next]++;
            now = next;
        }
        sum = sum * 31 + counts[round % 10];
    }
    printf("automaton %08x %u %u\n", sum, counts[word], counts[block]);
}
