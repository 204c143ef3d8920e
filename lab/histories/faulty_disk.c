/* A disk that fails when it is told to, for one database: loaded before the C library (LD_PRELOAD).
 *
 * The file named by FAULTY_DISK holds three octets: the errno with which writes, synchronisations and reads of files
 * whose path contains FAULTY_DISK_NAME fail, 0 for none. It is mapped, so that whoever writes to it is heard at once.
 * A write that fails with ENOSPC has written its first half, as on a disk that runs full.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WRITE, SYNC, READ, KINDS };

static const volatile unsigned char *faults;

__attribute__((constructor)) static void map_faults(void)
{
    const char *path = getenv("FAULTY_DISK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, KINDS, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED)
        faults = mapped;
}

static int fault_of(int fd, int kind)
{
    char link[64], path[4096];
    const char *name = getenv("FAULTY_DISK_NAME");
    if (!faults || !faults[kind] || !name)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strstr(path, name) ? faults[kind] : 0;
}

#define NEXT(name) \
    static __typeof__(name) *next; \
    if (!next) \
        next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define FAIL(fault) \
    do { \
        errno = (fault); \
        return -1; \
    } while (0)

#define PWRITE(name, offset_type) \
    ssize_t name(int fd, const void *data, size_t size, offset_type offset) \
    { \
        NEXT(name); \
        int fault = fault_of(fd, WRITE); \
        if (fault == ENOSPC) \
            next(fd, data, size / 2, offset); \
        if (fault) \
            FAIL(fault); \
        return next(fd, data, size, offset); \
    }

#define PREAD(name, offset_type) \
    ssize_t name(int fd, void *data, size_t size, offset_type offset) \
    { \
        NEXT(name); \
        int fault = fault_of(fd, READ); \
        if (fault) \
            FAIL(fault); \
        return next(fd, data, size, offset); \
    }

#define SYNCHRONISE(name) \
    int name(int fd) \
    { \
        NEXT(name); \
        int fault = fault_of(fd, SYNC); \
        if (fault) \
            FAIL(fault); \
        return next(fd); \
    }

PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)
PREAD(pread, off_t)
PREAD(pread64, off64_t)
SYNCHRONISE(fsync)
SYNCHRONISE(fdatasync)
