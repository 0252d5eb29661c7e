ALTER TABLE "analyses" DROP CONSTRAINT "analyses_run_runs_id_fk";--> statement-breakpoint
DROP INDEX "analyses_run";--> statement-breakpoint
DROP INDEX "runs_created_at";--> statement-breakpoint
ALTER TABLE "analyses" DROP CONSTRAINT "analyses_pkey";--> statement-breakpoint
ALTER TABLE "runs" DROP CONSTRAINT "runs_pkey";--> statement-breakpoint
ALTER TABLE "unfinished" DROP CONSTRAINT "unfinished_pkey";--> statement-breakpoint
ALTER TABLE "analyses" ADD COLUMN "store" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "runs" ADD COLUMN "store" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "unfinished" ADD COLUMN "store" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "analyses" ADD CONSTRAINT "analyses_store_id_pk" PRIMARY KEY("store","id");--> statement-breakpoint
ALTER TABLE "runs" ADD CONSTRAINT "runs_store_id_pk" PRIMARY KEY("store","id");--> statement-breakpoint
ALTER TABLE "unfinished" ADD CONSTRAINT "unfinished_store_id_pk" PRIMARY KEY("store","id");--> statement-breakpoint
ALTER TABLE "analyses" ADD CONSTRAINT "analyses_store_run_runs_store_id_fk" FOREIGN KEY ("store","run") REFERENCES "runs"("store","id") ON DELETE cascade ON UPDATE cascade;--> statement-breakpoint
CREATE INDEX "analyses_run" ON "analyses" USING btree ("store","run");--> statement-breakpoint
CREATE INDEX "runs_created_at" ON "runs" USING btree ("store","created_at");
