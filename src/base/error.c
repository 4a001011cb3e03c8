#include "base/error.h"

const char *tide_strerror(int code)
{
    switch (code) {
    case TIDE_OK: return "no error";
    case TIDE_ENOMEM: return "not enough memory";
    case TIDE_EINVAL: return "invalid argument";
    case TIDE_EAGAIN: return "would have to wait";
    case TIDE_ETIMEDOUT: return "timeout";
    case TIDE_ECANCELED: return "cancelled";
    case TIDE_ESHUTDOWN: return "shut down";
    case TIDE_EDEADLK: return "deadlock";
    case TIDE_ETHREAD: return "the system would not start a thread";
    case TIDE_ECORRUPT: return "corrupt message";
    case TIDE_EREFUSED: return "value cannot be sent";
    case TIDE_ESYSTEM: return "system call failed";
    default: return "unknown error";
    }
}
