CREATE TABLE "analyses" (
	"id" text PRIMARY KEY NOT NULL,
	"run" text NOT NULL,
	"created_at" bigint NOT NULL,
	"kind" text NOT NULL,
	"question" text NOT NULL,
	"bytes" bigint NOT NULL,
	"analysis" text NOT NULL
);
--> statement-breakpoint
ALTER TABLE "analyses" ADD CONSTRAINT "analyses_run_runs_id_fk" FOREIGN KEY ("run") REFERENCES "runs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "analyses_run" ON "analyses" USING btree ("run");