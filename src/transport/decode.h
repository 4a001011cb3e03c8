/* decode.h - the decoder's entry for code.c. Internal to transport. */
#ifndef TIDE_TRANSPORT_DECODE_H
#define TIDE_TRANSPORT_DECODE_H

#include "transport/parcel.h"
#include "transport/wire.h"

#include <lua.h>

/* Reads one group, a plain value or a graph, and pushes its values; returns how many. Raises. */
int tide_decode(lua_State *L, const struct tide_parcel *parcel, struct tide_reader *in);

static inline struct tide_reader tide_reader_of(const struct tide_parcel *parcel)
{
    const unsigned char *bytes = tide_parcel_bytes(parcel);
    return (struct tide_reader){bytes, bytes + parcel->size};
}

#endif
