// SQL over tables in memory: inserts, an index, joins, groups, text, updates, recursion.
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The least of a system that SQLite can live in: no files, a clock that stands.
static int refuse_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out) {
    return SQLITE_CANTOPEN;
}
static int refuse_delete(sqlite3_vfs *vfs, const char *name, int sync) { return SQLITE_OK; }
static int no_access(sqlite3_vfs *vfs, const char *name, int flags, int *result) {
    *result = 0;
    return SQLITE_OK;
}
static int same_path(sqlite3_vfs *vfs, const char *name, int size, char *out) {
    snprintf(out, (size_t)size, "%s", name);
    return SQLITE_OK;
}
static int no_randomness(sqlite3_vfs *vfs, int size, char *out) {
    memset(out, 7, (size_t)size);
    return size;
}
static int no_sleep(sqlite3_vfs *vfs, int microseconds) { return microseconds; }
static int standing_time(sqlite3_vfs *vfs, double *now) {
    *now = 2460000.5;
    return SQLITE_OK;
}
int sqlite3_os_init(void) {
    static sqlite3_vfs vfs = {
        .iVersion = 1, .szOsFile = sizeof(sqlite3_file), .mxPathname = 256, .zName = "none",
        .xOpen = refuse_open, .xDelete = refuse_delete, .xAccess = no_access, .xFullPathname = same_path,
        .xRandomness = no_randomness, .xSleep = no_sleep, .xCurrentTime = standing_time,
    };
    return sqlite3_vfs_register(&vfs, 1);
}
int sqlite3_os_end(void) { return SQLITE_OK; }

static int print_row(void *unused, int count, char **values, char **names) {
    for (int i = 0; i < count; i++)
        printf("%s%s", i ? "|" : "", values[i] ? values[i] : "NULL");
    putchar('\n');
    return 0;
}

int main(int argc, char **argv) {
    int rows = 1000 * (argc > 1 ? atoi(argv[1]) : 1);
    sqlite3 *db;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK)
        return 1;
    char *script = sqlite3_mprintf(
        "create table item(id integer primary key, code integer, name text, price real);"
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < %d)"
        " insert into item select i, (i * 7919) %% 10007, printf('item %%d of %%x', i, i * 31), i * 0.25 from n;"
        "create index by_code on item(code);"
        "create table sale(item integer, amount integer, day text);"
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < %d)"
        " insert into sale select 1 + (i * 104729) %% %d, i %% 13, date(2459000 + i %% 365) from n;"
        "select count(*), sum(price), max(name), min(length(name)) from item;"
        "select substr(day, 1, 7) as month, count(*), sum(amount * price) from sale join item on item.id = sale.item"
        " group by month order by month;"
        "select a.code, count(*) from item a join item b on a.code = b.code and a.id <> b.id"
        " group by a.code order by 2 desc, 1 limit 5;"
        "update item set name = upper(name) || '!' where code %% 3 = 0;"
        "select count(*) from item where name like '%%7F%%';"
        "delete from item where id %% 5 = 2;"
        "select day, sum(amount) as total from sale where item in (select id from item where code < 500)"
        " group by day having total > 3 order by total desc, day limit 5;"
        "select name, rank() over (order by price * (code %% 17) desc) from item where code < 40 limit 8;",
        rows, rows * 2, rows);
    char *message = NULL;
    if (sqlite3_exec(db, script, print_row, NULL, &message) != SQLITE_OK) {
        printf("%s\n", message);
        return 1;
    }
    return sqlite3_close(db);
}
