CREATE TABLE "runs" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text DEFAULT '' NOT NULL,
	"created_at" bigint NOT NULL,
	"bytes" bigint NOT NULL,
	"summary" text NOT NULL,
	"run" text NOT NULL
);
--> statement-breakpoint
CREATE INDEX "runs_created_at" ON "runs" USING btree ("created_at");