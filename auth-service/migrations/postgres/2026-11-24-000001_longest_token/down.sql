DELETE FROM counters WHERE name = 'longest_token';
