// Parsing byte by byte with recursion: writes a JSON text, then reads it and sums it up.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { recordCount = 4000, rounds = 25 };

static char text[recordCount * 160];
static const char *next;
static unsigned checksum, objects, strings;
static double sum;

static void write(void) {
    char *end = text;
    *end++ = '[';
    for (int i = 0; i < recordCount; i++) {
        end += sprintf(end, "%s{\"id\": %d, \"name\": \"record \\\"%d\\\"\", ", i ? ",\n" : "", i,
                       i * 7 % 1000);
        end += sprintf(end, "\"ratio\": %d.%03d, \"tags\": [\"a%d\", \"bb\", null], ", i % 90,
                       i % 1000, i % 10);
        end += sprintf(end, "\"nested\": {\"on\": %s, \"deep\": [[%d]]}}", i % 2 ? "true" : "false",
                       -i);
    }
    *end++ = ']';
    *end = 0;
}

static void fail(void) {
    printf("json: malformed at %ld\n", (long)(next - text));
    exit(1);
}

static void skipSpace(void) {
    while (*next == ' ' || *next == '\n' || *next == '\t' || *next == '\r') next++;
}

static void expect(const char *word) {
    for (; *word; word++, next++)
        if (*next != *word) fail();
}

static void readString(void) {
    expect("\"");
    strings++;
    for (; *next != '"'; next++) {
        if (*next == '\\') next++;
        if (!*next) fail();
        checksum = (checksum ^ (unsigned char)*next) * 16777619u;
    }
    next++;
}

static void readNumber(void) {
    int isNegative = *next == '-';
    next += isNegative;
    if (*next < '0' || *next > '9') fail();
    double value = 0, scale = 1;
    while (*next >= '0' && *next <= '9') value = value * 10 + (*next++ - '0');
    if (*next == '.') {
        next++;
        while (*next >= '0' && *next <= '9') value += (*next++ - '0') * (scale /= 10);
    }
    sum += isNegative ? -value : value;
}

static void readValue(void);

static void readList(char last, int hasKeys) {
    next++;
    skipSpace();
    if (*next == last) {
        next++;
        return;
    }
    for (;;) {
        if (hasKeys) {
            skipSpace();
            readString();
            skipSpace();
            expect(":");
        }
        readValue();
        if (*next == last) break;
        expect(",");
    }
    next++;
}

static void readValue(void) {
    skipSpace();
    switch (*next) {
    case '{': objects++; readList('}', 1); break;
    case '[': readList(']', 0); break;
    case '"': readString(); break;
    case 't': expect("true"); checksum += 1; break;
    case 'f': expect("false"); checksum += 2; break;
    case 'n': expect("null"); checksum += 3; break;
    default: readNumber();
    }
    skipSpace();
}

int main(void) {
    write();
    for (int round = 0; round < rounds; round++) {
        next = text;
        readValue();
        if (*next) fail();
    }
    printf("json %u %u %08x %.3f\n", objects, strings, checksum, sum);
}
