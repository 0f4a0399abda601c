#include "corpus.h"
#include <bzlib.h>

int main(int argc, char **argv) {
    size_t size = corpus_size(argc, argv);
    unsigned packed_size = size + size / 100 + 600, back_size = size;
    unsigned char *text = corpus(size), *packed = malloc(packed_size), *back = malloc(size);
    if (BZ2_bzBuffToBuffCompress((char *)packed, &packed_size, (char *)text, size, 9, 0, 0) != BZ_OK)
        return 1;
    if (BZ2_bzBuffToBuffDecompress((char *)back, &back_size, (char *)packed, packed_size, 0, 0) != BZ_OK)
        return 1;
    return report(text, size, packed, packed_size, back);
}
