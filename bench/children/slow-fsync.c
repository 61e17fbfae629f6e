/* Loaded with LD_PRELOAD: fsync and fdatasync take FSYNC_MS milliseconds longer. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int slow(long call, int fd) {
  const char *ms = getenv("FSYNC_MS");
  usleep(1000 * (ms ? atoi(ms) : 0));
  return (int)syscall(call, fd);
}

int fsync(int fd) { return slow(SYS_fsync, fd); }
int fdatasync(int fd) { return slow(SYS_fdatasync, fd); }
