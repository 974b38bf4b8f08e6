/**
 * What a program does with the library: every question of the README, asked of a recording of vhost-scsi
 * and of a migration. Gives a line of JSON each. Runs wherever the library does.
 */
export async function askAll(vhost, scsi, migration, { observed, source, destination }) {
  const lines = [];
  const ask = async (question, ...args) => {
    const answer = await vhost[question].ask(...args);
    lines.push(JSON.stringify({ question, status: vhost[question].statusOf(answer), answer }));
    return answer;
  };
  const policies = vhost.choosePolicies(["unpatched", "patched"]);
  const [unpatched, policy] = policies;
  const lost = await ask("lost", scsi);
  const page = lost.result.machines[0].policies[0].lostRuns[0].gfn;
  const place = vhost.formatPlace(lost.result.machines[0].findings[0].first.place);
  await ask("affected", migration);
  await ask("stale", migration);
  await ask("inspect", scsi);
  await ask("requests", scsi);
  await ask("life", scsi, { range: { gpa: page * 4096, len: 1 } });
  await ask("attribute", scsi);
  await ask("logImages", scsi, { policy });
  await ask("compareLogs", scsi, { observed });
  await ask("identify", scsi, { observed });
  await ask("compareImages", migration, { source, destination });
  await ask("around", scsi, { place, count: 2 });
  await ask("minimize", scsi, { page, policies });
  const side = (one) => ({ name: one.policy.name, recording: scsi, policy: one });
  await ask("difference", side(unpatched), side(policy));
  await ask("whatif", migration);
  await ask("lint", scsi);
  return lines;
}
