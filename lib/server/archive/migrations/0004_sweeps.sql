CREATE TABLE "sweep_results" (
	"sweep" text NOT NULL,
	"item" integer NOT NULL,
	"result" text NOT NULL,
	"error" text,
	"worker" text NOT NULL,
	"took" integer NOT NULL,
	CONSTRAINT "sweep_results_sweep_item_pk" PRIMARY KEY("sweep","item")
);
--> statement-breakpoint
CREATE TABLE "sweeps" (
	"id" text PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"request" text NOT NULL,
	"items" integer NOT NULL,
	"created_at" bigint NOT NULL
);
--> statement-breakpoint
ALTER TABLE "sweep_results" ADD CONSTRAINT "sweep_results_sweep_sweeps_id_fk" FOREIGN KEY ("sweep") REFERENCES "public"."sweeps"("id") ON DELETE cascade ON UPDATE no action;