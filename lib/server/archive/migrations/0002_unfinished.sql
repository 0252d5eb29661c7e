CREATE TABLE "unfinished" (
	"id" text PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"owner" text NOT NULL,
	"since" bigint NOT NULL,
	"record" text NOT NULL
);
