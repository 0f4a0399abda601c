#include "corpus.h"
#include <zlib.h>

int main(int argc, char **argv) {
    size_t size = corpus_size(argc, argv);
    unsigned char *text = corpus(size), *packed = malloc(compressBound(size)), *back = malloc(size);
    uLongf packed_size = compressBound(size), back_size = size;
    if (compress2(packed, &packed_size, text, size, 6) != Z_OK)
        return 1;
    for (int i = 0; i < 4; i++)
        if (uncompress(back, &back_size, packed, packed_size) != Z_OK)
            return 1;
    return report(text, size, packed, packed_size, back);
}
