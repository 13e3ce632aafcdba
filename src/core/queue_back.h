#ifndef CORE_QUEUE_BACK_H
#define CORE_QUEUE_BACK_H

/*
 * The SQL by which rows of one sanctum.db go into another that is an older
 * state of it (flow/worker_queue_back.h says which rows, and why).  Lists are
 * JSON: ids [1,2], rows [["1","text",null],...] with the columns in the order
 * in which the statement that reads them gives them.
 */
enum queue_back_sql {
	QUEUE_BACK_MARKS,	/* highest id ever of users, profiles,
				 * messages, queue; latest time of a row */
	QUEUE_BACK_OPEN,	/* id: rows of the queue that are not over */

	/* New rows: ?1 the mark of that table. */
	QUEUE_BACK_NEW_USERS,
	QUEUE_BACK_NEW_PROFILES,
	QUEUE_BACK_NEW_MESSAGES,
	QUEUE_BACK_NEW_ROWS,
	/* What may have changed of the others: ?1 as above. */
	QUEUE_BACK_OLD_USERS,
	QUEUE_BACK_OLD_PROFILES,
	/* ... ?2 ids that count in any case, ?3 the latest time then. */
	QUEUE_BACK_OLD_ROWS,
	QUEUE_BACK_OLD_ANSWERS,		/* of the messages of these rows */

	/*
	 * ?1 rows.  One that is there already, the same, is passed over; its
	 * id with another content breaks the key, and so the transaction.
	 */
	QUEUE_BACK_ADD_USERS,
	QUEUE_BACK_ADD_PROFILES,
	QUEUE_BACK_ADD_MESSAGES,
	QUEUE_BACK_ADD_ROWS,
	QUEUE_BACK_SET_USERS,
	QUEUE_BACK_SET_PROFILES,
	QUEUE_BACK_SET_ROWS,
	QUEUE_BACK_SET_ANSWERS,
	QUEUE_BACK_FLUSH		/* ?1 ids that are gone there */
};

const char *queue_back_sql(enum queue_back_sql);

/* Columns of users and of rows, as they are read. */
#define QUEUE_BACK_USER_IDENTITY 3
#define QUEUE_BACK_USER_BLOCK 4
#define QUEUE_BACK_ROW_STATUS 3		/* of new rows */
#define QUEUE_BACK_OLD_STATUS 1		/* of others */

#endif /* !CORE_QUEUE_BACK_H */
