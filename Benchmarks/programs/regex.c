// Counts what regular expressions of several kinds find in a text.
#include "corpus.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

int main(int argc, char **argv) {
    size_t size = corpus_size(argc, argv);
    const unsigned char *text = corpus(size);
    static const char *patterns[] = {
        "verson", "[a-z]+ing\\b", "(\\w+)@(\\w+)\\.org", "\\b\\d+\\.\\d{2}\\b", "(?i)TA(re|mi)+son",
        "(?<=es )\\w{3,7}(?= in)", "(\\w+) \\1", "^\\w+.*\\w+$", "a[^\\n]*?z|q", "(?:ta|re|mi)(?:son|ver)al",
    };
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        int error;
        PCRE2_SIZE where;
        pcre2_code *code = pcre2_compile(
            (PCRE2_SPTR)patterns[i], PCRE2_ZERO_TERMINATED, PCRE2_MULTILINE, &error, &where, NULL);
        if (!code)
            return 1;
        pcre2_match_data *match = pcre2_match_data_create_from_pattern(code, NULL);
        size_t at = 0, found = 0, bytes = 0;
        while (at < size && pcre2_match(code, text, size, at, PCRE2_NO_UTF_CHECK, match, NULL) > 0) {
            PCRE2_SIZE *span = pcre2_get_ovector_pointer(match);
            found++;
            bytes += span[1] - span[0];
            at = span[1] > span[0] ? span[1] : span[1] + 1;
        }
        printf("%-24s %zu matches, %zu bytes\n", patterns[i], found, bytes);
    }
}
