#include "corpus.h"
#include <zstd.h>

int main(int argc, char **argv) {
    size_t size = corpus_size(argc, argv), bound = ZSTD_compressBound(size);
    unsigned char *text = corpus(size), *packed = malloc(bound), *back = malloc(size);
    size_t packed_size = ZSTD_compress(packed, bound, text, size, 5);
    if (ZSTD_isError(packed_size))
        return 1;
    for (int i = 0; i < 4; i++)
        if (ZSTD_decompress(back, size, packed, packed_size) != size)
            return 1;
    return report(text, size, packed, packed_size, back);
}
