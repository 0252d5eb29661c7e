// For `node --import`: time is the processor time of this process, so that what measures itself says what it costs and not
// how busy the machine is. Waiting takes no time.
performance.now = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
