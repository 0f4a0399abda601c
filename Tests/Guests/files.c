// Regular files: open, create, read, write, seek, truncate, append, rename, unlink, status.

#include "report.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static void show(const char *name) {
    char content[256];
    int file = open(name, O_RDONLY);
    if (file < 0) {
        report(name, -1);
        return;
    }
    ssize_t length = read(file, content, sizeof content);
    printf("%s holds %zd bytes: ", name, length);
    for (ssize_t i = 0; i < length; i++) putchar(content[i] ? content[i] : '~');
    putchar('\n');
    close(file);
}

static void status(const char *name) {
    struct stat status;
    if (stat(name, &status) < 0) {
        report(name, -1);
        return;
    }
    if (S_ISDIR(status.st_mode))
        printf("%s: a directory\n", name);
    else
        printf("%s: %lld bytes\n", name, (long long)status.st_size);
}

static void createAndRead(void) {
    printf("- create, read\n");
    report("open without O_CREAT", open("first", O_RDONLY));
    int file = open("first", O_CREAT | O_EXCL | O_WRONLY, 0644);
    check("created", file >= 0);
    report("write", write(file, "Hello, file", 11));
    report("write nothing", write(file, "", 0));
    report("close", close(file));
    report("close again", close(file));
    report("write when closed", write(file, "x", 1));
    report("create again", open("first", O_CREAT | O_EXCL | O_WRONLY, 0644));
    report("open below a file", open("first/below", O_RDONLY));
    show("first");
    status("first");

    char part[4];
    file = open("first", O_RDONLY);
    for (ssize_t length; (length = read(file, part, sizeof part)) > 0;)
        printf("read %zd: %.*s\n", length, (int)length, part);
    report("read at the end", read(file, part, sizeof part));
    close(file);
}

static void seek(void) {
    printf("- seek, positioned access\n");
    char part[8] = "";
    int file = open("first", O_RDWR);
    report("seek to 7", lseek(file, 7, SEEK_SET));
    report("read", read(file, part, 4));
    printf("[%s]\n", part);
    report("seek back 4", lseek(file, -4, SEEK_CUR));
    report("write", write(file, "disk", 4));
    report("seek to the end", lseek(file, 0, SEEK_END));
    report("seek before the start", lseek(file, -1, SEEK_SET));
    report("seek by nothing", lseek(file, 0, SEEK_CUR));
    report("pread", pread(file, part, 5, 0));
    printf("[%.5s]\n", part);
    report("pwrite", pwrite(file, "J", 1, 0));
    report("position after those", lseek(file, 0, SEEK_CUR));
    report("seek beyond the end", lseek(file, 4, SEEK_END));
    report("write", write(file, "!", 1));
    report("sync", fsync(file));
    close(file);
    show("first");
}

static void truncateAndAppend(void) {
    printf("- truncate, append\n");
    int file = open("first", O_RDWR);
    report("shrink", ftruncate(file, 5));
    status("first");
    report("grow", ftruncate(file, 8));
    close(file);
    show("first");
    report("truncate by name", truncate("first", 5));
    file = open("first", O_WRONLY | O_APPEND);
    report("append", write(file, " one", 4));
    report("seek to 0", lseek(file, 0, SEEK_SET));
    report("append", write(file, " two", 4));
    close(file);
    show("first");
    file = open("first", O_WRONLY | O_TRUNC);
    close(file);
    status("first");
}

static void vectors(void) {
    printf("- vectors\n");
    int file = open("second", O_CREAT | O_RDWR, 0644);
    struct iovec output[] = {{"abc", 3}, {"", 0}, {"defgh", 5}};

    // A host may transfer less than all.
    long length = writev(file, output, 3);
    check("writev", length > 0 && length <= 8);
    write(file, &"abcdefgh"[length], 8 - length);
    lseek(file, 0, SEEK_SET);
    char a[3] = "", b[8] = "";
    struct iovec input[] = {{a, 2}, {b, 7}};
    length = readv(file, input, 2);
    check("readv", length > 0 && length <= 8);
    if (length < 2) read(file, a + length, 2 - length), length = 2;
    read(file, b + length - 2, 8 - length);
    printf("[%s] [%s]\n", a, b);
    close(file);
}

static void names(void) {
    printf("- rename, unlink\n");
    report("rename", rename("second", "third"));
    status("second");
    status("third");
    report("rename over another", rename("third", "first"));
    show("first");
    report("rename what is absent", rename("third", "fourth"));
    report("unlink", unlink("first"));
    report("unlink again", unlink("first"));
    status("first");
    status(".");
    report("unlink a directory's name that is absent", unlink("no/such"));

    int file = open("fleeting", O_CREAT | O_RDWR, 0644);
    report("unlink an open file", unlink("fleeting"));
    report("write to it", write(file, "still here", 10));
    report("its size", lseek(file, 0, SEEK_END));
    close(file);
    status("fleeting");
}

static void times(void) {
    printf("- times\n");
    int file = open("dated", O_CREAT | O_RDWR, 0644);
    struct timespec times[] = {{1000000000, 123456000}, {1500000000, 654321000}};
    report("futimens", futimens(file, times));
    struct stat status;
    report("fstat", fstat(file, &status));
    printf("accessed %lld.%09ld\n", (long long)status.st_atim.tv_sec, status.st_atim.tv_nsec);
    printf("modified %lld.%09ld\n", (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    struct timespec later[] = {{0, UTIME_OMIT}, {1600000000, 0}};
    report("utimensat", utimensat(AT_FDCWD, "dated", later, 0));
    fstat(file, &status);
    printf("accessed %lld\n", (long long)status.st_atim.tv_sec);
    printf("modified %lld\n", (long long)status.st_mtim.tv_sec);
    close(file);
    unlink("dated");
}

int main(void) {
    createAndRead();
    seek();
    truncateAndAppend();
    vectors();
    names();
    times();
    return 0;
}
