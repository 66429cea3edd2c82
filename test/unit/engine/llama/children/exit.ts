process.stderr.write('loading\nno such device\n');
process.exit(7);
