// Descriptors: what the host has opened, their kinds and flags, renumbering, and wrong numbers.

#include "report.h"

#include <fcntl.h>
#include <unistd.h>
#include <wasi/api.h>

static const char *kind(int descriptor) {
    __wasi_fdstat_t status;
    __wasi_errno_t error = __wasi_fd_fdstat_get(descriptor, &status);
    if (error) return strerror(error);
    switch (status.fs_filetype) {
    case __WASI_FILETYPE_DIRECTORY: return "directory";
    case __WASI_FILETYPE_REGULAR_FILE: return "file";
    default: return "stream";
    }
}

int main(void) {
    __wasi_prestat_t opened;
    check("3 is an opened directory", __wasi_fd_prestat_get(3, &opened) == 0);
    check("its tag is a directory's", opened.tag == __WASI_PREOPENTYPE_DIR);
    check("0 is none", __wasi_fd_prestat_get(0, &opened) != 0);
    check("4 is none", __wasi_fd_prestat_get(4, &opened) == __WASI_ERRNO_BADF);
    printf("0 is open: %s\n", strcmp(kind(0), strerror(EBADF)) ? "yes" : "NO");
    printf("3: %s\n", kind(3));
    printf("99: %s\n", kind(99));

    int first = open("one", O_CREAT | O_RDWR, 0644), second = open("two", O_CREAT | O_RDWR, 0644);
    printf("first: %s\n", kind(first));
    check("numbers differ", first != second && first > 3 && second > 3);
    report("write", write(first, "first", 5));
    report("write", write(second, "the second", 10));
    report("fd_renumber", __wasi_fd_renumber(first, second));
    printf("first: %s\n", kind(first));
    report("size behind the second number", lseek(second, 0, SEEK_END));
    report("fd_renumber of none", __wasi_fd_renumber(first, second));

    __wasi_filesize_t place;
    report("fd_tell", __wasi_fd_tell(second, &place));
    printf("at %llu\n", (unsigned long long)place);
    report("fd_advise", __wasi_fd_advise(second, 0, 5, __WASI_ADVICE_SEQUENTIAL));
    report("fd_sync", __wasi_fd_sync(second));
    report("fd_datasync", __wasi_fd_datasync(second));

    __wasi_fdstat_t status;
    report("fd_fdstat_get", __wasi_fd_fdstat_get(second, &status));
    check("appends", status.fs_flags & __WASI_FDFLAGS_APPEND);
    report("fd_fdstat_set_flags", __wasi_fd_fdstat_set_flags(second, __WASI_FDFLAGS_APPEND));
    report("fd_fdstat_get", __wasi_fd_fdstat_get(second, &status));
    check("appends", status.fs_flags & __WASI_FDFLAGS_APPEND);
    report("seek", lseek(second, 0, SEEK_SET));
    report("write", write(second, "!", 1));
    report("size", lseek(second, 0, SEEK_END));
    report("close", close(second));

    char byte;
    report("read from 99", read(99, &byte, 1));
    report("write to 99", write(99, &byte, 1));
    report("seek in 99", lseek(99, 0, SEEK_SET));
    report("close 99", close(99));
    check("seek in a directory fails", lseek(3, 0, SEEK_SET) < 0);
    check("read from a directory fails", read(3, &byte, 1) < 0);
    check("write to a directory fails", write(3, &byte, 1) < 0);
    int readOnly = open("one", O_RDONLY);
    check("write to what is open for reading fails", write(readOnly, "x", 1) < 0);
    close(readOnly);
    report("unlink", unlink("one"));
    report("unlink", unlink("two"));
    return 0;
}
