// Allocation, recursion and pointers: binary trees are made, walked and freed, and a search tree grows.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { depth = 15, rounds = 45, keys = 60000 };

typedef struct node { struct node *left, *right; uint32_t key; } node;

static node *make(int levels) {
    node *new = malloc(sizeof *new);
    *new = (node){levels ? make(levels - 1) : 0, levels ? make(levels - 1) : 0, (uint32_t)levels};
    return new;
}

static uint32_t weigh(const node *tree) {
    return tree ? tree->key + weigh(tree->left) * 3 + weigh(tree->right) : 1;
}

static void discard(node *tree) {
    if (!tree) return;
    discard(tree->left);
    discard(tree->right);
    free(tree);
}

static int insert(node **tree, uint32_t key) {
    int steps = 0;
    for (; *tree; steps++) tree = key < (*tree)->key ? &(*tree)->left : &(*tree)->right;
    *tree = malloc(sizeof **tree);
    **tree = (node){0, 0, key};
    return steps;
}

int main(void) {
    uint32_t weight = 0, steps = 0, random = 99;
    for (int round = 0; round < rounds; round++) {
        node *tree = make(depth);
        weight = weight * 7 + weigh(tree);
        discard(tree);
    }
    node *search = 0;
    for (int i = 0; i < keys; i++) {
        random = random * 1664525 + 1013904223;
        steps += (uint32_t)insert(&search, random >> 4);
    }
    printf("trees %08x %u\n", weight, steps);
}
