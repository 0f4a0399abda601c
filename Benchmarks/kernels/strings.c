// Library code on bytes: builds a text of words, then searches, splits, compares and copies it.

#include <stdio.h>
#include <string.h>

enum { wordCount = 60000, rounds = 12 };

static char text[wordCount * 12], copy[sizeof text], longest[16];

int main(void) {
    unsigned random = 7, hash = 0, found = 0, repeats = 0;
    char *end = text;
    for (int i = 0; i < wordCount; i++) {
        random = random * 1103515245 + 12345;
        int length = 2 + (random >> 16) % 8;
        for (int k = 0; k < length; k++) *end++ = 'a' + (random >> (4 + 2 * k)) % 26;
        *end++ = ' ';
    }
    *end = 0;
    for (int round = 0; round < rounds; round++) {
        char needle[3] = {'a' + round, 'e', 0};
        for (char *at = text; (at = strstr(at, needle)); at++) found++;

        strcpy(copy, text);
        const char *previous = "";
        for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
            repeats += strcmp(word, previous) == 0;
            if (strlen(word) > strlen(longest)) strcpy(longest, word);
            for (char *at = word; *at; at++) hash = hash * 31 + (unsigned char)*at;
            previous = word;
        }

        // Turns every word around for the next round.
        for (char *first = text; *first; first++) {
            char *space = strchr(first, ' ');
            for (char *low = first, *high = space - 1; low < high; low++, high--) {
                char swapped = *low;
                *low = *high;
                *high = swapped;
            }
            first = space;
        }
    }
    printf("strings %u %u %s %08x\n", found, repeats, longest, hash);
}
