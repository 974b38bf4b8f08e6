/** The JSON schemas of the package, as the tests hold documents against them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type AnySchemaObject, Ajv2020 as Validator } from "ajv/dist/2020.js";

const FOLDER = join(import.meta.dirname, "../../schema");

/** Names of all schemas: `report`, `stale` … */
export const SCHEMAS: readonly string[] = readdirSync(FOLDER).map(
  (name) => /^(.+)\.schema\.json$/.exec(name)![1]!,
);

/** A schema as it is shipped: open, so that a reader is not broken by a new key. */
export function schemaOf(name: string): AnySchemaObject {
  return JSON.parse(readFileSync(join(FOLDER, `${name}.schema.json`), "utf8"));
}

/** The same, closed: what we print ourselves has no key that the schema does not describe. */
export function closedSchema(name: string): AnySchemaObject {
  return closed(schemaOf(name)) as AnySchemaObject;
}

function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed);
  if (typeof node !== "object" || node === null) return node;
  const copy = Object.fromEntries(Object.entries(node).map(([key, one]) => [key, closed(one)]));
  return "properties" in copy && copy.type === "object"
    ? { additionalProperties: false, ...copy }
    : copy;
}

/** What is wrong with a document; `[]` when it is what the schema says and has nothing more. */
export function errorsOf(name: string, value: unknown): unknown {
  const validate = new Validator({ allowUnionTypes: true }).compile(closedSchema(name));
  return validate(value) ? [] : validate.errors;
}

/**
 * What a schema promises, a line each: every key with its type and whether it is always there.
 * Descriptions are no promise.
 */
export function promisesOf(schema: AnySchemaObject): string[] {
  const lines: string[] = [];
  const walk = (node: AnySchemaObject, path: string): void => {
    if (typeof node.$ref === "string") {
      walk(schema.$defs[node.$ref.slice("#/$defs/".length)], path);
      return;
    }
    const options: AnySchemaObject[] | undefined = node.oneOf ?? node.anyOf;
    if (options) {
      for (const one of options) {
        walk(one, one.properties?.event ? `${path}(${one.properties.event.const})` : path);
      }
      return;
    }
    const { type, enum: values, const: value, pattern } = node;
    const what = values ?? value ?? [type].flat().sort();
    lines.push(`${path}: ${JSON.stringify(what)}${pattern === undefined ? "" : ` ${pattern}`}`);
    for (const [key, one] of Object.entries<AnySchemaObject>(node.properties ?? {})) {
      walk(one, `${path}.${key}${node.required?.includes(key) ? "" : "?"}`);
    }
    if (node.items) walk(node.items, `${path}[]`);
    if (node.additionalProperties) walk(node.additionalProperties, `${path}.*`);
  };
  walk(schema, "");
  return [...new Set(lines)];
}
