// Directories: make, list (small and large), remove; and working below them.

#include "report.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void touch(const char *name) {
    int file = open(name, O_CREAT | O_WRONLY, 0644);
    if (file < 0) report(name, -1);
    close(file);
}

static int byName(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

// Lists a directory by name: the order of a host is its own affair.
static void list(const char *name) {
    DIR *directory = opendir(name);
    if (!directory) {
        report(name, -1);
        return;
    }
    char *lines[16];
    int count = 0;
    for (struct dirent *entry; count < 16 && (entry = readdir(directory));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        const char *kind = entry->d_type == DT_DIR ? "/" : entry->d_type == DT_REG ? "" : "?";
        asprintf(&lines[count++], "%s%s", entry->d_name, kind);
    }
    closedir(directory);
    qsort(lines, count, sizeof *lines, byName);
    printf("%s:", name);
    for (int i = 0; i < count; i++) {
        printf(" %s", lines[i]);
        free(lines[i]);
    }
    printf("\n");
}

// Reads a directory whose listing exceeds any buffer, then again from the middle.
static void listMany(void) {
    enum { fileCount = 300 };
    char name[64];
    report("mkdir", mkdir("many", 0755));
    for (int i = 0; i < fileCount; i++) {
        snprintf(name, sizeof name, "many/a-file-with-quite-a-long-name-%03d", i);
        touch(name);
    }
    static char isSeen[fileCount];
    int count = 0, repeats = 0;
    DIR *directory = opendir("many");
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.') continue;
        int number = atoi(entry->d_name + strlen(entry->d_name) - 3);
        repeats += isSeen[number];
        isSeen[number] = 1;
        count++;
    }
    printf("%d entries, %d of them twice\n", count, repeats);

    rewinddir(directory);
    for (int i = 0; i < 100; i++) readdir(directory);
    long place = telldir(directory);
    struct dirent *entry = readdir(directory);
    snprintf(name, sizeof name, "%s", entry->d_name);
    for (int i = 0; i < 50; i++) readdir(directory);
    seekdir(directory, place);
    entry = readdir(directory);
    check("seekdir leads back", entry && strcmp(entry->d_name, name) == 0);
    closedir(directory);

    int failures = 0;
    for (int i = 0; i < fileCount; i++) {
        snprintf(name, sizeof name, "many/a-file-with-quite-a-long-name-%03d", i);
        failures += unlink(name) < 0;
    }
    printf("%d failures to unlink\n", failures);
    report("rmdir", rmdir("many"));
}

int main(void) {
    list(".");
    report("mkdir", mkdir("outer", 0755));
    report("mkdir again", mkdir("outer", 0755));
    report("mkdir inside", mkdir("outer/inner", 0755));
    report("mkdir below nothing", mkdir("absent/inner", 0755));
    touch("outer/file");
    touch("outer/inner/deep");
    list(".");
    list("outer");
    list("outer/inner");
    list("outer/../outer/./inner");
    list("absent");
    list("outer/file");

    report("rmdir when full", rmdir("outer"));
    report("rmdir a file", rmdir("outer/file"));
    check("unlink a directory fails", unlink("outer/inner") < 0);
    check("open a directory to write fails", open("outer", O_WRONLY) < 0);
    report("rename into", rename("outer/file", "outer/inner/file"));
    report("rename a directory", rename("outer/inner", "moved"));
    list("outer");
    list("moved");

    int directory = open("moved", O_RDONLY | O_DIRECTORY);
    check("open as a directory", directory >= 0);
    check("open a file as a directory fails", open("moved/file", O_RDONLY | O_DIRECTORY) < 0);
    int file = openat(directory, "file", O_WRONLY);
    check("open in a directory", file >= 0);
    close(file);
    report("unlink in a directory", unlinkat(directory, "file", 0));
    report("unlink in a directory", unlinkat(directory, "deep", 0));
    close(directory);
    report("rmdir", rmdir("moved"));
    report("rmdir", rmdir("outer"));
    list(".");
    listMany();
    return 0;
}
