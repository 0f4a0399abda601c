// Solves a sudoku by trying, and counting how often it had to guess.
//
// The puzzle is the first argument: 81 characters, row by row, anything but 1 to 9 for empty cells.
// Without an argument a built-in puzzle is solved.

#include <stdio.h>
#include <string.h>

static const char builtIn[] =
    "8........" "..36....." ".7..9.2.." ".5...7..." "....457.." "...1...3." "..1....68" "..85...1."
    ".9....4..";

// The digits already used in each row, column and box, as bit sets, and the cells themselves.
static unsigned rows[9], columns[9], boxes[9];
static int cells[81];
static unsigned long guesses;

static void place(int cell, int digit) {
    unsigned bit = 1u << digit;
    int row = cell / 9, column = cell % 9;
    rows[row] ^= bit;
    columns[column] ^= bit;
    boxes[row / 3 * 3 + column / 3] ^= bit;
    cells[cell] = cells[cell] ? 0 : digit;
}

static unsigned candidates(int cell) {
    int row = cell / 9, column = cell % 9;
    return 0x3FE & ~(rows[row] | columns[column] | boxes[row / 3 * 3 + column / 3]);
}

// Fills the empty cell with the fewest candidates, then the rest; returns whether that worked.
static int solve(void) {
    int best = -1, fewest = 10;
    for (int cell = 0; cell < 81; cell++) {
        if (cells[cell]) continue;
        int count = __builtin_popcount(candidates(cell));
        if (count < fewest) best = cell, fewest = count;
    }
    if (best < 0) return 1;
    for (unsigned left = candidates(best); left; left &= left - 1) {
        int digit = __builtin_ctz(left);
        guesses += fewest > 1;
        place(best, digit);
        if (solve()) return 1;
        place(best, digit);
    }
    return 0;
}

static void print(void) {
    for (int cell = 0; cell < 81; cell++) {
        if (cell && cell % 27 == 0) printf("------+-------+------\n");
        printf("%d%s", cells[cell], cell % 9 == 8 ? "\n" : cell % 3 == 2 ? " | " : " ");
    }
}

int main(int argc, char **argv) {
    const char *puzzle = argc > 1 ? argv[1] : builtIn;
    if (strlen(puzzle) != 81) {
        fprintf(stderr, "sudoku: a puzzle has 81 cells, not %zu\n", strlen(puzzle));
        return 2;
    }
    for (int cell = 0; cell < 81; cell++) {
        int digit = puzzle[cell] - '0';
        if (digit < 1 || digit > 9) continue;
        if (!(candidates(cell) >> digit & 1)) {
            fprintf(stderr, "sudoku: the %d in cell %d contradicts another\n", digit, cell + 1);
            return 1;
        }
        place(cell, digit);
    }
    if (!solve()) {
        fprintf(stderr, "sudoku: no solution\n");
        return 1;
    }
    print();
    printf("%lu guesses\n", guesses);
    return 0;
}
