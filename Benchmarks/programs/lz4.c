#include "corpus.h"
#include <lz4.h>
#include <lz4hc.h>

int main(int argc, char **argv) {
    size_t size = corpus_size(argc, argv);
    int bound = LZ4_compressBound(size);
    unsigned char *text = corpus(size), *packed = malloc(bound), *back = malloc(size);
    int packed_size = 0;
    for (int i = 0; i < 4; i++)
        packed_size = LZ4_compress_default((char *)text, (char *)packed, size, bound);
    packed_size = LZ4_compress_HC((char *)text, (char *)packed, size, bound, 6);
    for (int i = 0; i < 8; i++)
        if (LZ4_decompress_safe((char *)packed, (char *)back, packed_size, size) != (int)size)
            return 1;
    return report(text, size, packed, packed_size, back);
}
