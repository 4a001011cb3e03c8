/* file.h - files read by blocking calls that can be stopped.
 *
 * Used by   bindings/fs.c, formats/digest.c, on threads that may block.
 * Threads   any; a struct tide_file belongs to one at a time.
 * Waits     a file is opened without waiting. What has nothing to read yet (a FIFO that nobody has opened for writing, a
 *           terminal) is waited for in steps of 50 ms, with a look at `stop` before each. So only a disk or a file server
 *           that does not answer holds the thread for longer.
 */
#ifndef TIDE_FORMATS_FILE_H
#define TIDE_FORMATS_FILE_H

#include "formats/stop.h"

#include <stddef.h>
#include <stdint.h>

struct tide_file {
    int fd;
    bool plain;             /* a regular file */
    uint64_t size;          /* of a regular file, as the system told it: that of /proc is 0 */
    struct tide_stop stop;
};

/* Opens a file for reading. 0; TIDE_ESYSTEM with errno set, EISDIR for a folder; TIDE_ECANCELED: stopped. */
int tide_file_open(struct tide_file *file, const char *path, struct tide_stop stop);
void tide_file_close(struct tide_file *file);

/* Reads some bytes, up to `size`; *got is 0 at the end of the file. Fails as open does. */
int tide_file_read(struct tide_file *file, void *buffer, size_t size, size_t *got);

/* Reads a file whole. 0 with *data (tide_free) and *size; TIDE_ENOMEM; or as open, with errno EFBIG where there are more than
 * `most` bytes. */
int tide_file_load(const char *path, size_t most, struct tide_stop stop, char **data, size_t *size);

#endif
