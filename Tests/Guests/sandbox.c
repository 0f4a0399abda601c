// What a guest must not reach: anything outside the directory that was opened for it.

#include "report.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wasi/api.h>

// The first directory the host has opened.
enum { root = 3 };

// Hosts give different reasons for the same refusal.
static const char *reason(int error) {
    if (error == EPERM || error == EACCES || error == ENOTCAPABLE) return "refused";
    return error ? strerror(error) : "opened";
}

// The raw call: the library would tidy the path up.
static void openRaw(const char *path, int followsLinks) {
    __wasi_fd_t file;
    __wasi_lookupflags_t flags = followsLinks ? __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW : 0;
    __wasi_rights_t rights = __WASI_RIGHTS_FD_READ;
    __wasi_errno_t error = __wasi_path_open(root, flags, path, 0, rights, 0, 0, &file);
    printf("path_open %s: %s\n", path, reason(error));
    if (!error) close((int)file);
}

int main(void) {
    mkdir("room", 0755);
    close(open("room/inside", O_CREAT | O_WRONLY, 0644));

    openRaw("room/inside", 1);
    openRaw("room/../room/./inside", 1);
    openRaw("room/../../outside", 1);
    openRaw("..", 1);
    openRaw("../outside", 1);
    openRaw("/etc/passwd", 1);

    report("symlink", symlink("inside", "room/link"));
    report("symlink up and down", symlink("../room/inside", "room/detour"));
    report("symlink out", symlink("../../outside", "room/out"));
    report("symlink to itself", symlink("loop", "room/loop"));
    report("symlink to a directory", symlink("room", "door"));
    check("symlink to an absolute path fails", symlink("/etc", "room/absolute") < 0);
    openRaw("room/link", 1);
    openRaw("room/link", 0);
    openRaw("room/detour", 1);
    openRaw("room/out", 1);
    openRaw("room/loop", 1);
    openRaw("door/inside", 1);
    openRaw("door/link", 1);
    openRaw("door/out", 1);

    char target[32] = "";
    report("readlink", readlink("room/detour", target, sizeof target - 1));
    printf("[%s]\n", target);
    memset(target, 0, sizeof target);
    report("readlink, short buffer", readlink("room/detour", target, 5));
    printf("[%s]\n", target);
    report("readlink of a file", readlink("room/inside", target, sizeof target));

    struct stat status;
    report("stat", stat("room/link", &status));
    check("it is a file", S_ISREG(status.st_mode));
    report("lstat", lstat("room/link", &status));
    check("it is a link", S_ISLNK(status.st_mode));
    printf("stat out: %s\n", stat("room/out", &status) < 0 ? reason(errno) : "done");

    report("link", link("room/inside", "room/twin"));
    report("stat", stat("room/twin", &status));
    printf("%ld names\n", (long)status.st_nlink);
    check("mkdir outside fails", mkdir("../outside", 0755) < 0);
    check("rename to outside fails", rename("room/twin", "../outside") < 0);
    check("unlink outside fails", unlink("../outside") < 0);
    check("link to outside fails", link("room/twin", "../outside") < 0);

    const char *names[] = {"link", "detour", "out", "loop", "twin", "inside"};
    int room = open("room", O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < 6; i++) report(names[i], unlinkat(room, names[i], 0));
    close(room);
    report("unlink", unlink("door"));
    report("rmdir", rmdir("room"));
    return 0;
}
