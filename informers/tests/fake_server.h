/* A small apiserver in memory behind the informers' transport: pods with versions, pages, watches, streaming
 * lists. Nothing happens until fake_server_pump, and the nth thing that it does can go wrong. */
#ifndef INFORMERS_TESTS_FAKE_SERVER_H
#define INFORMERS_TESTS_FAKE_SERVER_H

#include "informers/transport.h"

enum { FAKE_NAMES = 64, FAKE_LOG = 512, FAKE_CONNECTIONS = 16, FAKE_PAGE = 3 };

enum fake_fault {
    FAULT_NONE,
    FAULT_LOST,    /* the connection breaks */
    FAULT_CUT,     /* … in the middle of what it was saying */
    FAULT_GARBAGE, /* what comes is not JSON */
    FAULT_410,
    FAULT_429,
    FAULT_500,
    FAULT_403,
    FAULT_COUNT,
};

struct fake_event {
    int type; /* 'A', 'M', 'D' */
    int name, version;
};

struct fake_connection {
    bool open, is_list;
    char path[512];
    struct kube_request request;
    struct ws_request callbacks;
    int at; /* a watch: the version it has seen; -1: not yet looked at */
};

struct fake_server {
    struct informer_transport transport;
    bool can_stream;
    int version, oldest;     /* the present one; watches from before oldest get 410 */
    int objects[FAKE_NAMES]; /* version, 0: not there */
    struct fake_event log[FAKE_LOG];
    int log_count;
    struct fake_connection connections[FAKE_CONNECTIONS];
    int done; /* how many things have been done */
    int fault_times;
    int fault_at; /* which of them goes wrong; -1: none */
    enum fake_fault fault;
    int lists, watches; /* asked for */
    char first_path[512], last_path[512];
};

void fake_server_init(struct fake_server *server, bool can_stream);
/* Adds or changes, and deletes, object number name. */
void fake_server_put(struct fake_server *server, int name);
void fake_server_delete(struct fake_server *server, int name);
/* Forgets the log: whoever resumes gets 410. */
void fake_server_compact(struct fake_server *server);
/* Ends every watch in good order. */
void fake_server_close_watches(struct fake_server *server);
/* How many connections are open. */
int fake_server_open(const struct fake_server *server);
/* Answers what was asked and sends what has changed. */
void fake_server_pump(struct fake_server *server);

#endif
