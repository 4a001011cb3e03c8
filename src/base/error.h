/* error.h - the error codes of every part.
 *
 * Used by   everything.
 * Rule      a function that can fail returns 0 or one of these; a count or a handle comes through an out-parameter,
 *           written on success only.
 */
#ifndef TIDE_BASE_ERROR_H
#define TIDE_BASE_ERROR_H

enum tide_error {
    TIDE_OK = 0,
    TIDE_ENOMEM = -1,     /* an allocation failed */
    TIDE_EINVAL = -2,     /* an argument outside its domain */
    TIDE_EAGAIN = -3,     /* would have to wait */
    TIDE_ETIMEDOUT = -4,  /* the caller's deadline passed */
    TIDE_ECANCELED = -5,  /* the waiting task was cancelled */
    TIDE_ESHUTDOWN = -6,  /* the object takes no more work */
    TIDE_EDEADLK = -7,    /* the wait would close a cycle */
    TIDE_ETHREAD = -8,    /* the system would not start a thread */
    TIDE_ECORRUPT = -9,   /* bytes that are no message */
    TIDE_EREFUSED = -10,  /* a value that cannot travel */
    TIDE_ESYSTEM = -11,   /* another system call failed; errno says why */
};

/* A short English text for a code, never NULL; for messages of last resort (bindings say it better). */
const char *tide_strerror(int code);

#endif
