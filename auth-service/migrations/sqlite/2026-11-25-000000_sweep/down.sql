DELETE FROM counters WHERE name = 'sweep';
