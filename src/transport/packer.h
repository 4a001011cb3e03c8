/* packer.h - the encoder at work. Internal to transport.
 *
 * Used by   pack.c (parcels of one message and streams), code.c (functions), encode.c, encode_function.c, refuse.c.
 * Threads   that of the state it belongs to.
 * Memory    a packer is a full userdata that stays on the Lua stack, or in SLOT_PACKERS, while it is used: a raise loses
 *           nothing. One is kept in SLOT_SPARE. Where a finalizer packs while we pack, it gets another one.
 *
 * How       Values without identity are written where they stand. Everything else (tables, functions, environments, named
 *           values, long strings) is an object of the graph: it gets a number at its first sight, a reference is written
 *           in its place, and it waits in `pending` for its turn. So nothing recurses, and depth has no limit.
 *           Each object writes a shell (what is needed to create it empty) and a body (what it refers to).
 * Collector nothing here runs a step of Lua's collector while a table is traversed, and every object met is anchored in
 *           `pending`, so that no address in the memo can change its meaning.
 */
#ifndef TIDE_TRANSPORT_PACKER_H
#define TIDE_TRANSPORT_PACKER_H

#include "base/error.h"
#include "base/object.h"
#include "base/strbuf.h"
#include "transport/bytecode.h"
#include "transport/memo.h"
#include "transport/record.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

enum tide_kind { TIDE_KIND_TABLE, TIDE_KIND_FUNCTION, TIDE_KIND_ENV, TIDE_KIND_NAMED, TIDE_KIND_STRING };

struct tide_node {          /* an object of the graph */
    uint32_t parent;        /* the node in which it was met first; 0: a root */
    uint8_t kind;
};

struct tide_root {          /* what refusals call a value that stands by itself */
    const char *noun;       /* "argument", "result"; "function" for the one that is submitted */
    int first, count;       /* its stack indices: argument 1 and on */
};

struct tide_packer {
    lua_State *L;
    struct tide_transport *t;

    /* all messages so far of a stream */
    struct tide_strbuf out;
    struct tide_object **objects;   /* one reference each, which the finished parcel takes over */
    uint32_t object_count, object_room;
    uint32_t count;                 /* values in out */

    /* the graph under way */
    struct tide_memo memo;
    struct tide_strbuf shells, bodies, standards, globals, roots;
    struct tide_node *nodes;        /* [1] to [node_count] */
    uint32_t node_count, node_room;
    uint32_t current;               /* the node whose body is written; 0: a root */
    uint32_t env;                   /* the node of the environment, 0: none */
    const void *env_table;          /* the table it stands for */
    size_t env_size_at;             /* where its shell counts entries */
    uint32_t standard_count, global_count;
    const char *global;             /* the name of the global whose value is written, else NULL */
    struct tide_root root;
    struct tide_bytecode code;      /* of the function under way */

    /* what the graph turned out to hold */
    uint32_t tables;                /* copied, metatables included */
    bool assigns;                   /* a function assigns what it captured */
    bool sets_globals;
    bool leaks;                     /* a function uses its environment as a value */
    bool reflects;                  /* load, debug and the like are within reach */
    bool env_mixed;                 /* functions with different environments */

    /* stack indices while a graph is under way */
    int self;
    int pending;                    /* uservalue 1 of the packer: node → its value */
    int seen;                       /* name of a global that was looked up → its value, light NULL for nil; nil at first */
};

void tide_packer_open(lua_State *L, struct tide_transport *t);

/* Takes the spare packer, or makes one. Its stream is empty. out: the packer */
struct tide_packer *tide_packer_take(lua_State *L, struct tide_transport *t);

/* Gives back a packer that is at stack index `self`; it forgets everything. */
void tide_packer_give(struct tide_packer *p, lua_State *L, int self);

/* Makes a parcel of what was written. 0, or TIDE_ENOMEM. */
struct tide_parcel;
int tide_packer_parcel(struct tide_packer *p, struct tide_parcel **out);

/* Writes root.count values from stack index root.first behind the stream: scalars as they are, else one graph. The packer
 * is at stack index `self`. 0; TIDE_EREFUSED with the message pushed; TIDE_ENOMEM. Raises if Lua runs out of memory. */
int tide_encode(struct tide_packer *p, lua_State *L, int self, struct tide_root root);

/* Writes one value behind the stream if it has no identity: 1 if so, 0 if not, TIDE_ENOMEM. */
int tide_encode_plain(struct tide_packer *p, lua_State *L, int index);

/* The two halves of tide_encode, for who wants to look at the graph in between: _graph leaves `pending` and `seen` on the
 * stack, _finish (to be called after a 0) takes them off. */
int tide_encode_graph(struct tide_packer *p, lua_State *L, int self, struct tide_root root);
int tide_encode_finish(struct tide_packer *p);

/* The value at `index` (absolute) into `out`. 0, TIDE_EREFUSED (message pushed), TIDE_ENOMEM. */
int tide_encode_value(struct tide_packer *p, int index, struct tide_strbuf *out);

/* The environment at `index`, which is one. 0 or TIDE_ENOMEM. */
int tide_encode_env(struct tide_packer *p, int index, struct tide_strbuf *out);

/* The shell and body of the function at `index`, node p->current. The same results. */
int tide_encode_function(struct tide_packer *p, int index);

/* Pushes the text of a refusal of the value at `index`, met in node p->current. Always TIDE_EREFUSED. */
int tide_refuse(struct tide_packer *p, int index, const char *reason);

#endif
