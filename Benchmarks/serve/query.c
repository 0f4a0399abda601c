// Prints its query; with the query "spin" it computes for ever.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    const char *query = getenv("QUERY_STRING");
    if (query && strcmp(query, "spin") == 0) {
        for (volatile unsigned count = 0;; count++) {
        }
    }
    printf("Content-Type: text/plain\n\nquery: %s\n", query ? query : "");
    return 0;
}
