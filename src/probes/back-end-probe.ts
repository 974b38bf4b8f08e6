/** One uprobe: event, function, whether it is its return, and the arguments. */
export interface BackEndProbe {
  event: string;
  function: string;
  atReturn: boolean;
  fields: string[];
}
