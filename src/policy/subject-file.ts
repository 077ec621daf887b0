import { z } from "zod";
import { RESOURCE_TYPES, RESOURCE_TYPE_NAMES, type ResourceType } from "../inventory/resource-types.ts";
import { NOT_LOOKED_UP, type Surroundings } from "../inventory/surroundings.ts";
import { tagsFrom } from "../tags/tags.ts";
import type { Subject } from "./subject.ts";

const instant = z.iso.datetime({ offset: true, error: "must be an instant such as 2026-01-31T00:00:00Z, in quotes" });
const tags = z.record(z.string(), z.string("must be text: put it in quotes"));
const type = z.enum(RESOURCE_TYPE_NAMES);

/** A resource with its tags as a person writes it down, to be judged: in a test of policies, or to be explained. */
export const SubjectFields = {
  resource: z
    .strictObject({
      type: type.describe("One of the thirteen resource types."),
      name: z.string().min(1).default("example").describe("Its name; of a solution version, the name of its solution."),
      arn: z.string().optional().describe("Made of the rest when absent."),
      account_id: z
        .string("must be twelve digits, in quotes")
        .regex(/^\d{12}$/, "must be twelve digits, in quotes")
        .default("111122223333"),
      region: z.string().default("us-east-1"),
      status: z.string().default("ACTIVE"),
      created_at: instant.optional(),
      updated_at: instant.optional(),
      summary: z
        .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
        .default({})
        .describe("Further fields as AWS names them: `trainingType: AUTOMATIC`."),
    })
    .describe("The resource."),
  tags: tags.default({}).describe("Its tags."),
  parents: z
    .array(z.strictObject({ type, name: z.string().default("example"), tags: tags.nullable().default({}) }))
    .optional()
    .describe("What stands above it, nearest first; `tags: null` for one that could not be read. Absent: not known."),
  account: z
    .strictObject({ name: z.string().default("example"), tags: tags.default({}) })
    .optional()
    .describe("Its account. Absent: not known."),
  now: instant.optional().describe("The instant of judging."),
};

/** A file that describes one resource. */
export const SubjectFile = z.strictObject(SubjectFields);
export type SubjectFile = z.infer<typeof SubjectFile>;

/** The subject that was written down. `now`: the instant when the file names none. */
export function toSubject(file: SubjectFile, now: Date): Subject {
  const { type, name, account_id, region, status, summary } = file.resource;
  return {
    resource: {
      arn: file.resource.arn ?? arnOf(type, name, { account_id, region }),
      account_id,
      region,
      type,
      name,
      status,
      created_at: dateOf(file.resource.created_at),
      updated_at: dateOf(file.resource.updated_at),
      summary,
    },
    tags: tagsFrom(Object.entries(file.tags)),
    now: dateOf(file.now) ?? now,
    around: aroundOf(file),
  };
}

function aroundOf({ parents, account, resource }: SubjectFile): Surroundings {
  return {
    lineage: parents
      ? {
          known: true,
          ancestors: parents.map(({ type, name, tags }) => ({
            arn: arnOf(type, name, resource),
            type,
            name,
            tags: tags && tagsFrom(Object.entries(tags)),
            unread: tags === null ? "not given" : null,
          })),
        }
      : NOT_LOOKED_UP.lineage,
    account: account
      ? { known: true, name: account.name, tags: tagsFrom(Object.entries(account.tags)) }
      : NOT_LOOKED_UP.account,
  };
}

function arnOf(type: ResourceType, name: string, place: { account_id: string; region: string }): string {
  const { arn_prefix, arn_parts } = RESOURCE_TYPES[type];
  const rest = arn_parts === 3 ? "/example" : "";
  return `arn:aws:personalize:${place.region}:${place.account_id}:${arn_prefix}/${name}${rest}`;
}

function dateOf(text: string | undefined): Date | null {
  return text === undefined ? null : new Date(text);
}
