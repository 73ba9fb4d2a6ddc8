// Slow tests, which run only on request.

/** @param {Facts} facts @param {(text: string) => void} say @returns {Promise<Outcome>} */
async function testUploadSizes(facts, say) {
  const limit = facts.uploadLimit;
  const steps = [1, 2, 8, 32, 64, 100, 128, 256, 512, 1024].map((size) => size * MB);
  const sizes = [...steps.filter((size) => size < limit), limit].filter(Number.isFinite);
  let passed = 0;
  for (const size of sizes) {
    say(`uploading ${formatBytes(size)} …`);
    const passes = await uploadPasses(size);
    if (passes === undefined) return uploadTooSlow(passed, size);
    if (!passes) {
      const found = await narrow(passed, size, say);
      const outcome = bodyLimit(facts, found.passed, found.refused);
      return { ...outcome, code: "STL607" };
    }
    passed = size;
  }
  return ok(`${formatBytes(passed)} in one request: ${facts.uploadOption}`);
}

/**
 * @param {Facts} facts @param {number} seconds @param {(text: string) => void} say
 * @param {AbortSignal} stop @returns {Promise<Outcome>}
 */
async function testIdle(facts, seconds, say, stop) {
  if (!facts.ticket) facts.ticket = (await askJson("/_stlaunch/ticket")).ticket;
  const attempt = await openSocket("/_stlaunch/ws", ["stlaunch.probe"], facts.nextAttempt());
  const { socket } = attempt;
  if (!socket) return skip("No socket opens", [trouble(facts)]);
  await socket.next(HELLO_MS);
  const until = performance.now() + seconds * 1000;
  while (!socket.ended && !stop.aborted && performance.now() < until) {
    const left = Math.ceil((until - performance.now()) / 1000);
    say(`${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} left, nothing is sent`);
    await socket.end(1000);
  }
  if (socket.ended) return idleCut(facts, socket.ended);
  const lived = formatMs(performance.now() - socket.openedAt);
  socket.close();
  return stop.aborted ? skip(`Stopped after ${lived}`) : ok(`Still open after ${lived} of silence`);
}
